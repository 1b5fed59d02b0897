"""SQL over the lake."""
