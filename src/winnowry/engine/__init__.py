"""Engines: run an operator chain over the fragments of a table."""
