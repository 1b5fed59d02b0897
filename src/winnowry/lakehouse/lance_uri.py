"""What Lance calls the place of a table: it decodes percent signs in the key of an object, boto3 takes it as it is."""

from __future__ import annotations

from collections.abc import Mapping
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


def reading_lines(uri: str, version: str, options: Mapping[str, str], where: str = "") -> str:
    """Lines of Python that read a table, to be copied.

    Args:
        uri: of the table, as Lance takes it.
        version: version as Python source: a number or a quoted tag.
        options: what Lance has to be told of the store; see :func:`winnowry.storage.settings.reading_options`.
        where: remark behind the second line.

    >>> print(reading_lines("s3://b/l/t.lance", "'prod'", {"allow_http": "true"}))
    import lance  # the package pylance
    options = {'allow_http': 'true'}
    table = lance.dataset('s3://b/l/t.lance', version='prod', storage_options=options)
    print(table.to_table(limit=5).to_pandas())
    """
    before = f"options = {dict(options)!r}\n" if options else ""
    after = ", storage_options=options" if options else ""
    return (
        f"import lance  # the package pylance\n{before}"
        f"table = lance.dataset({uri!r}, version={version}{after}){where}\n"
        "print(table.to_table(limit=5).to_pandas())"
    )
