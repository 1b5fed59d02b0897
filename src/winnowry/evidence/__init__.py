"""Measurements that say whether a corpus or a selection is good: pure, without promotion."""
