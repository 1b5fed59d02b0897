"""Compiled loops over the bytes of objects."""
