"""What every layer may use: errors, identifiers, table schemas."""
