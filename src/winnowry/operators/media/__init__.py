"""Operators over images and other files that are no text."""
