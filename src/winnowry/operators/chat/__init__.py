"""Operators on conversations and their turns."""
