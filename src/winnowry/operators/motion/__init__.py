"""Operators over captured motion."""
