"""Operators that write deduplication keys."""
