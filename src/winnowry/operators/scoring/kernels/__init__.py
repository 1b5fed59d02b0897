"""Compiled loops over UTF-8 bytes; imported when first used, because they import numba."""
