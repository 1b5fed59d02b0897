"""Erasure: records leave every version of every table, and stay out."""
