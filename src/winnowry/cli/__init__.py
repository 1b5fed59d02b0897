"""The winnowry command line."""
