"""From a score to a selection that meets a budget."""
