"""What Lance calls the place of a table: it decodes percent signs in the key of an object, boto3 takes it as it is."""

from __future__ import annotations

from urllib.parse import quote


def lance_uri(uri: str) -> str:
    """The URI by which Lance reaches the same place.

    Args:
        uri: of a folder or object, as people write it.

    >>> lance_uri("s3://bucket/湖 #1/a%20b/t.lance")
    's3://bucket/%E6%B9%96%20%231/a%2520b/t.lance'
    >>> lance_uri("/home/me/湖 #1/t.lance")
    '/home/me/湖 #1/t.lance'
    """
    if not uri.startswith("s3://"):
        return uri
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    return f"s3://{bucket}{slash}{quote(key, safe='/')}"
