"""The six VALID² qualities of a release, measured."""
