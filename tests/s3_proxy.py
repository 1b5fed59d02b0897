"""A proxy in front of the S3 server of the tests: it writes down what is asked, and fails as a test tells it to.

A request goes on as it came, so that its signature holds, unless headers are taken out of it: then it is signed anew.
What a test's ``fate`` may say of a request:

* a status (``"503"``, ``"500"``): answered so, and not passed on;
* ``"reset"``: the connection is reset before the request is passed on;
* ``"silent"``: no answer, as long as the proxy lives;
* ``"slow"``: the answer comes in pieces, with waits between them;
* ``"cut"``: the connection is reset in the middle of the answer's body;
* ``"short"``: the answer ends in the middle of its body, as if that were all;
* an S3 error code (``"ExpiredToken"``): refused with 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.faults.fault_proxy import body_pieces, parsed_head, reset_connection
from tests.s3_server import S3Server
from winnowry.storage.settings import StorageSettings

_STATUSES = {"503": ("Slow Down", "SlowDown"), "500": ("Internal Server Error", "InternalError")}
_SLOW_PIECES, _SLOW_WAIT_S = 4, 0.05


@dataclass(frozen=True)
class Asked:
    """One request, as it reached the proxy.

    Attributes:
        method: HTTP method.
        path: with the bucket first.
        query: without the question mark.
        headers: names in small letters.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def client(self) -> str:
        """Who asks: ``boto3`` or ``lance``."""
        return "boto3" if "oto" in self.headers.get("user-agent", "") else "lance"

    @property
    def token(self) -> str:
        """Session token of temporary credentials; empty where there is none."""
        return self.headers.get("x-amz-security-token", "")


Fate = Callable[[Asked], str | None]


class S3Proxy:
    """See the module; use it as a context manager.

    Args:
        server: the server behind it.
        tls: serve HTTPS with these certificates.
        without: headers that the server never sees.
    """

    def __init__(self, server: S3Server, *, tls: ssl.SSLContext | None = None, without: Collection[str] = ()) -> None:
        self.server, self._tls, self._without = server, tls, frozenset(without)
        self.asked: list[Asked] = []
        self.fate: Fate = lambda asked: None
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> S3Proxy:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def settings(self) -> StorageSettings:
        """How winnowry reaches the server through it."""
        return self.server.settings.model_copy(update={"endpoint": self.url})

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a command reaches the server through it."""
        return {**self.server.environment, "AWS_ENDPOINT_URL_S3": self.url}

    def burst(self, kind: str, seconds: float, about: Callable[[Asked], bool] = lambda asked: True) -> None:
        """From the next request that it is about on, spoil all of these for a while."""
        until: list[float] = []

        def fate(asked: Asked) -> str | None:
            if not about(asked):
                return None
            if not until:
                until.append(time.monotonic() + seconds)
            return kind if time.monotonic() < until[0] else None

        self.fate = fate

    @contextmanager
    def recording(self) -> Iterator[list[Asked]]:
        """What is asked inside the block."""
        start, seen = len(self.asked), list[Asked]()
        yield seen
        seen += self.asked[start:]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20, backlog=512, ssl=self._tls)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                line, fields = parsed_head(head)
                method, target, _ = line.split(" ")
                address = urlsplit(target)  # whole where this is the proxy of somebody's HTTP_PROXY
                asked = Asked(method, address.path, address.query, fields)
                self.asked.append(asked)
                fate = self.fate(asked)
                if fields.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if fate == "reset":
                    raise ConnectionResetError
                body = b"".join([piece async for piece in body_pieces(reader, fields)])
                if fate == "silent":
                    await asyncio.sleep(3600)
                if fate is None or fate in ("slow", "cut", "short"):
                    await self._pass_on(asked, body, writer, fate)
                else:
                    writer.write(_refusal(fate, method))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            reset_connection(writer)
        except asyncio.CancelledError:
            pass  # the proxy ends; a connection that is open has nobody who waits for it
        finally:
            with contextlib.suppress(Exception):
                writer.close()

    async def _pass_on(self, asked: Asked, body: bytes, writer: asyncio.StreamWriter, fate: str | None) -> None:
        port = urlsplit(self.server.url).port
        reader, upstream = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        try:
            target = asked.path + (f"?{asked.query}" if asked.query else "")
            headers = {name: value for name, value in asked.headers.items() if name not in ("expect", "connection")}
            if headers.keys() & self._without:
                headers = self._signed_anew(asked, target, headers, body)
            lines = [f"{asked.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            upstream.write("\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + body)
            head = await reader.readuntil(b"\r\n\r\n")
            line, fields = parsed_head(head)
            status = line.split(" ")[1]
            bodiless = asked.method == "HEAD" or status in ("204", "304")
            content = b"" if bodiless else b"".join([piece async for piece in body_pieces(reader, fields)])
        finally:
            upstream.close()
        lines = [one for one in head.decode("latin-1").split("\r\n")[:-2] if not one.lower().startswith("connection:")]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if fate in ("cut", "short") and len(content) > 1:
            writer.write(content[: len(content) // 2])
            await writer.drain()
            if fate == "cut":
                await asyncio.sleep(0.01)  # what a reset overtakes the client never sees
                raise ConnectionResetError
            writer.close()
            raise asyncio.IncompleteReadError(b"", None)
        step = max(1, -(-len(content) // _SLOW_PIECES)) if fate == "slow" else max(1, len(content))
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
            if fate == "slow":
                await writer.drain()
                await asyncio.sleep(_SLOW_WAIT_S)

    def _signed_anew(self, asked: Asked, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        ours = {"authorization", "x-amz-date", "x-amz-content-sha256", *self._without}
        plain = {name: value for name, value in headers.items() if name not in ours}
        request = AWSRequest(asked.method, f"http://{headers['host']}{target}", plain, data=body)
        S3SigV4Auth(Credentials(self.server.access_key, self.server.secret), "s3", "us-east-1").add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}


def _refusal(kind: str, method: str) -> bytes:
    status, (reason, code) = (kind, _STATUSES[kind]) if kind in _STATUSES else ("403", ("Forbidden", kind))
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{reason}</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)
