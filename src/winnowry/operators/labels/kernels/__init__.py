"""Compiled loops over flattened boxes."""
