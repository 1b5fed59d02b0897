"""The only place in the library that knows Great Expectations."""
