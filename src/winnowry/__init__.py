"""winnowry: a data lakehouse for curating AI training data."""
