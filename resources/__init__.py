"""What assets need from outside, as Dagster resources: settings, object store, lakehouse."""
