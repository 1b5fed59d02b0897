"""What recomputes steps and compares answers."""
