"""The stages of a corpus: one file each."""
