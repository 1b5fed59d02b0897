"""Recipes: what a user declares about a corpus."""
