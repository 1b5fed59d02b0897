"""Sources: bytes of landing objects to record batches."""
