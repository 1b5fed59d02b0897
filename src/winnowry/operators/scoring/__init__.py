"""Operators that write scores."""
