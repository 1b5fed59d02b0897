"""A small lake on S3: its landing objects, and what its tables hold."""

from __future__ import annotations

from pathlib import Path

from tests.s3_server import S3Server
from winnowry.lakehouse.workspace import Workspace

TABLES = ("raw", "cleaned", "duplicates", "scored", "sampled", "published", "quarantine")


def copy_landing(folder: Path, server: S3Server, root: str) -> None:
    """Put the landing objects of a folder below an S3 root."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    client = server.client()
    for path in sorted((folder / "landing").rglob("*.gz")):
        key = f"{prefix}/{path.relative_to(folder).as_posix()}"
        client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def ids(ws: Workspace, table: str) -> list[str]:
    """Record ids as a reader sees them, sorted, each as often as it is there; ids do not name the root."""
    return sorted(ws.lake.open("small", table).to_table(columns=["record_id"]).column(0).to_pylist())


def contents(ws: Workspace) -> dict[str, list[str]]:
    """Record ids of every table of records that exists."""
    present = set(ws.lake.tables("small"))
    return {table: ids(ws, table) for table in TABLES if table in present}


def cleaned_and_rejected(ws: Workspace) -> list[str]:
    """Record ids that cleaning kept or rejected, each as often as it did: those of ``raw``, where the ledger holds."""
    rejected = ws.lake.open("small", "quarantine").to_table(columns=["record_id"], where="stage = 'cleaned'")
    return sorted([*ids(ws, "cleaned"), *rejected.column(0).to_pylist()])
