"""Older contents of objects, which a bucket with versions keeps when an object is overwritten or deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from winnowry.storage.objects import ObjectStore

_AT_ONCE = 1000  # keys of one request


@dataclass(frozen=True)
class Noncurrent:
    """What was done about the older contents below a folder.

    Attributes:
        removed: older contents and delete markers that are gone.
        held: those that the store keeps, each with until when or why.
    """

    removed: int = 0
    held: tuple[str, ...] = ()


@runtime_checkable
class KeepsVersions(Protocol):
    """A store that may keep older contents."""

    def remove_noncurrent(self, uri: str) -> Noncurrent:
        """Remove every older content of the objects below a folder, and the delete markers.

        Args:
            uri: the folder.

        Raises:
            AccessDeniedError: the credentials may not list versions.
        """
        ...


def remove_noncurrent(store: ObjectStore, uri: str) -> Noncurrent:
    """Remove every older content below a folder; nothing where the store keeps none.

    Raises:
        AccessDeniedError: see :meth:`KeepsVersions.remove_noncurrent`.
    """
    holder = store.at(uri)
    return holder.remove_noncurrent(uri) if isinstance(holder, KeepsVersions) else Noncurrent()


def remove_from_bucket(client: Any, bucket: str, prefix: str) -> Noncurrent:
    """As :func:`remove_noncurrent`, with a client of boto3.

    Needs ``s3:ListBucketVersions`` and ``s3:DeleteObjectVersion``; to say until when a lock holds, also
    ``s3:GetObjectRetention``.
    """
    old: list[dict[str, str]] = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        entries = [*(v for v in page.get("Versions", ()) if not v["IsLatest"]), *page.get("DeleteMarkers", ())]
        old += [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    held = []
    for start in range(0, len(old), _AT_ONCE):
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": old[start : start + _AT_ONCE], "Quiet": True})
        held += [_held(client, bucket, error) for error in answer.get("Errors", ())]
    return Noncurrent(len(old) - len(held), tuple(held))


def _held(client: Any, bucket: str, error: dict[str, str]) -> str:
    from botocore.exceptions import ClientError

    where = f"s3://{bucket}/{error['Key']} version {error['VersionId']}"
    try:
        retention = client.get_object_retention(Bucket=bucket, Key=error["Key"], VersionId=error["VersionId"])
        return f"{where}: locked until {retention['Retention']['RetainUntilDate']:%Y-%m-%d %H:%M} UTC"
    except (ClientError, KeyError):
        return f"{where}: {error.get('Code', 'refused')} {error.get('Message', '')}".rstrip()
