"""Compiled loops over the planes of pictures."""
