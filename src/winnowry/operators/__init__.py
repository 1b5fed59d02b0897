"""Operators: pure functions that write columns; no storage, no clock, no network."""
