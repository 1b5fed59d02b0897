"""What each stage does, end to end, callable without Dagster."""
