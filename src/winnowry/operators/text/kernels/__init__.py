"""Compiled loops over UTF-8 bytes; imported only when an operator runs, because compiling needs numba."""
