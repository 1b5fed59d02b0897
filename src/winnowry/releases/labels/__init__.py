"""Annotations of a release in the formats that training programs read."""
