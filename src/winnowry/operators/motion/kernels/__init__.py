"""Compiled loops over the frames of captured motion."""
