"""Operators on prompts with answers and on chains of thought."""
