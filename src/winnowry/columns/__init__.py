"""Columns added to living tables: computed beside the data, gated, seen at once."""
