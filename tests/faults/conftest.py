"""The fork server's preload module warms up at import: it is no place for pytest to look for doctests."""

collect_ignore = ["preload.py"]
