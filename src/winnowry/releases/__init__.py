"""Releases: tagged versions of what was published, and what is said about them."""
