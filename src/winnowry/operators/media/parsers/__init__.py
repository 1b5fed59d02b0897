"""Readers of documents; they run in a process of their own and import their package at once."""
