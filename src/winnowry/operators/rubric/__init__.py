"""Criteria for answers: what is asked of one, how far it is met, and the reward that comes of it."""
