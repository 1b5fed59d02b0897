"""The VALID² card of a release: six letters, measured from the tables, and the map to TC609."""
