"""Operators on preference pairs."""
