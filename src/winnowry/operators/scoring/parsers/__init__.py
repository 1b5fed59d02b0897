"""Dependency parsers behind one interface; each imports its package when it is first used."""
