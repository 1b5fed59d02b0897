"""The only place that knows boto3: one object-store protocol, local and S3."""
