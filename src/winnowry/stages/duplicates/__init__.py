"""Stage ``duplicates``: which records stand for others."""
