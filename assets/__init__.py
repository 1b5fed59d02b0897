"""The Dagster code location: one file a stage; they wire, the pipeline computes."""
