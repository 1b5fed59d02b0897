"""Sampling: scores to inclusion probabilities to one exact-budget draw."""
