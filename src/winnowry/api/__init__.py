"""The Python API: a lake and what can be done with it. ``import winnowry as wn`` gives its names."""
