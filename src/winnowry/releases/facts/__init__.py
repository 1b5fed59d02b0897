"""What a release page states, computed from rows."""
