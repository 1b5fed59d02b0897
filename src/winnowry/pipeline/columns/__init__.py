"""Columns added to a living table."""
