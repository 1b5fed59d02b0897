"""A bucket with versions keeps what was deleted: an erasure removes that too, or says until when it stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import S3Server
from tests.tiny_project import make_tiny_project
from tests.walk import run_all
from winnowry.erasure.erase import erase
from winnowry.inspect.verify import verify
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.storage.noncurrent import Noncurrent, remove_from_bucket, remove_noncurrent
from winnowry.storage.open import open_store


@pytest.mark.s3
def test_no_older_content_is_left_below_the_folder_and_others_stay(s3_server: S3Server, s3_root: str) -> None:
    store = open_store(s3_root, s3_server.settings)
    bucket, prefix = s3_root.removeprefix("s3://").split("/", 1)
    client: Any = store.at(s3_root)._client  # type: ignore[attr-defined]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        for folder in ("c", "other"):
            for body in (b"first", b"second"):
                store.write(f"{s3_root}/{folder}/overwritten", body)
            store.write(f"{s3_root}/{folder}/deleted", b"text")
            store.delete(f"{s3_root}/{folder}/deleted")
        # One overwritten; one deleted, whose content is older than its marker.
        assert remove_noncurrent(store, f"{s3_root}/c") == Noncurrent(3)
        left = client.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/c/")
        assert ([v["Key"].rsplit("/", 1)[1] for v in left["Versions"]], left.get("DeleteMarkers", [])) == (
            ["overwritten"],
            [],
        )
        assert store.read(f"{s3_root}/c/overwritten") == b"second"
        beside = client.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/other/")
        assert (len(beside["Versions"]), len(beside["DeleteMarkers"])) == (3, 1)
    finally:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


@pytest.mark.s3
@pytest.mark.slow
def test_an_erased_record_is_in_no_version_of_any_object_of_the_bucket(
    s3_server: S3Server, s3_root: str, tmp_path: Path
) -> None:
    """On a root with characters that Lance and boto3 write differently; what is left verifies."""
    project = make_tiny_project(tmp_path)
    root = f"{s3_root}/lab #1"
    ws = Workspace.open(root, s3_server.settings)
    ws.store.write(f"{root}/landing/mail/2026.jsonl", (project / "lake/landing/mail/2026.jsonl").read_bytes())
    bucket = s3_root.removeprefix("s3://").split("/", 1)[0]
    client: Any = ws.store.at(root)._client  # type: ignore[attr-defined]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    run_all(ws, load_recipe(project / "tickets.yaml"))
    assert verify(ws).findings == ()
    certificate = erase(ws, "tickets", names=["T-1"], dry_run=False)
    assert certificate.proven, certificate
    assert certificate.older_removed > 0
    assert certificate.releases == {"prod": 1, "v1": 1}
    assert verify(ws).findings == ()
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=root.split(bucket)[1][1:])
    versions = [version for page in pages for version in page.get("Versions", ()) if "/tickets/" in version["Key"]]
    assert versions
    assert all(version["IsLatest"] for version in versions)


class _Locked:
    """The answers of S3 to the deletion of a version under object lock."""

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: str) -> Any:
        yield {"Versions": [{"Key": "c/a", "VersionId": "1", "IsLatest": False}]}

    def delete_objects(self, **_: Any) -> Any:
        return {"Errors": [{"Key": "c/a", "VersionId": "1", "Code": "AccessDenied", "Message": "object locked"}]}

    def get_object_retention(self, **_: str) -> Any:
        return {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": datetime(2027, 3, 1, 12, tzinfo=UTC)}}


def test_what_a_lock_holds_is_named_with_its_date() -> None:
    held = remove_from_bucket(_Locked(), "b", "c/")
    assert held == Noncurrent(0, ("s3://b/c/a version 1: locked until 2027-03-01 12:00 UTC",))
