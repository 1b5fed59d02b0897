"""Answers about a lake: why a record is where it is, what a change would do, is all well."""
