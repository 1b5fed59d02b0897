"""What runs the stages of a corpus, and in which order."""
