"""A selection measured against others by small proxies."""
