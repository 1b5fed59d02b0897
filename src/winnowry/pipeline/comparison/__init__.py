"""Whether a selection is worth it: proxies trained on it and on its rivals, at the same budget."""
