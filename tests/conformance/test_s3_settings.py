"""boto3 and Lance reach the same store with the same keys, whatever the environment and the shared files say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

# Both clients in a process of its own: they read variables when they are made, Lance those of the C library.
ASK_BOTH = """
import contextlib, json, sys
from winnowry.core.errors import StorageError
from winnowry.lakehouse.table import Table
from winnowry.storage.open import open_store
from winnowry.storage.settings import StorageSettings

given = json.loads(sys.argv[1])
settings = StorageSettings(**given) if given else StorageSettings.from_env()
root = "s3://curated/lake"
with contextlib.suppress(StorageError):
    open_store(root, settings)
with contextlib.suppress(StorageError):
    Table(f"{root}/t.lance", "t", {**settings.lance_options(root), "client_max_retries": "0"}).dataset_or_none()
"""
KEYS = {"access_key_id": "MINE", "secret_access_key": "s"}
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "MINE", "AWS_SECRET_ACCESS_KEY": "s"}
ANOTHER = {"AWS_ENDPOINT": "http://other.test", "AWS_ENDPOINT_URL": "http://other.test",
           "AWS_ENDPOINT_URL_S3": "http://other.test", "AWS_REGION": "eu-other-1",
           "AWS_ACCESS_KEY_ID": "OTHER", "AWS_SECRET_ACCESS_KEY": "o"}  # fmt: skip
SHARED = "[profile lab]\nregion = eu-lab-1\nservices = lab\n[services lab]\ns3 =\n  endpoint_url = http://store.test\n"


@pytest.fixture
def asked() -> Iterator[tuple[str, dict[str, set[tuple[str, ...]]]]]:
    """A proxy that refuses every request, and what each client asked of which store."""
    seen: dict[str, set[tuple[str, ...]]] = {"boto3": set(), "lance": set()}

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            client = "boto3" if "oto" in self.headers.get("user-agent", "") else "lance"
            url, signed = urlsplit(self.path), self.headers.get("authorization", "")
            key, region = re.findall(r"Credential=(\w+)/\d+/([\w-]+)/", signed)[0]
            token = self.headers.get("x-amz-security-token") or ""
            seen[client].add((url.netloc, url.path.strip("/").split("/")[0], key, region, token))
            self.send_response(403)
            self.send_header("content-length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("given", "env", "expected"),
    [
        pytest.param(
            {**KEYS, "endpoint": "http://store.test", "region": "eu-lab-1"},
            {**ANOTHER, "AWS_SESSION_TOKEN": "token-of-other"},
            ("store.test", "curated", "MINE", "eu-lab-1", ""),
            id="what is given wins over the environment",
        ),
        pytest.param(
            {**KEYS, "session_token": "t", "endpoint": "http://store.test", "region": "eu-lab-1"},
            {**ANOTHER, "AWS_SESSION_TOKEN": "token-of-other"},
            ("store.test", "curated", "MINE", "eu-lab-1", "t"),
            id="the token belongs to the keys",
        ),
        pytest.param(
            {},
            {**ENV_KEYS, "AWS_ENDPOINT_URL_S3": "http://store.test:81", "WINNOWRY_S3_ADDRESSING": "virtual"},
            ("curated.store.test:81", "", "MINE", "us-east-1", ""),
            id="virtual addressing of another store than AWS",
        ),
        pytest.param(
            {},
            {**ENV_KEYS, "AWS_ENDPOINT": "http://store.test"},
            ("store.test", "curated", "MINE", "us-east-1", ""),
            id="the variable only Lance knows",
        ),
        pytest.param(
            {},
            {**ENV_KEYS, "AWS_PROFILE": "lab"},
            ("store.test", "curated", "MINE", "eu-lab-1", ""),
            id="endpoint and region of a profile",
        ),
        pytest.param(
            {},
            {**ENV_KEYS, "AWS_PROFILE": "lab", "AWS_ENDPOINT_URL": "http://nearer.test", "AWS_REGION": "eu-near-1"},
            ("nearer.test", "curated", "MINE", "eu-near-1", ""),
            id="variables win over the profile",
        ),
    ],
)
def test_boto3_and_lance_ask_the_same_store(
    given: dict[str, str],
    env: dict[str, str],
    expected: tuple[str, ...],
    asked: tuple[str, dict[str, set[tuple[str, ...]]]],
    tmp_path: Path,
) -> None:
    proxy, seen = asked
    (tmp_path / "config").write_text(SHARED)
    clean = {name: value for name, value in os.environ.items() if not re.match("(?i)AWS_|WINNOWRY_|.*_PROXY$", name)}
    shared = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    subprocess.run(
        [sys.executable, "-c", ASK_BOTH, json.dumps(given)],
        env={**clean, **shared, **env, "HTTP_PROXY": proxy, "http_proxy": proxy, "AWS_EC2_METADATA_DISABLED": "true"},
        check=True,
        timeout=120,
    )
    assert seen == {"boto3": {expected}, "lance": {expected}}
