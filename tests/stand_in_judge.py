"""A stand-in for an OpenAI-compatible endpoint on this machine, and a transport that needs no package to reach it.

It knows a rollout by the mark ``ROLLOUT-nn`` in its text, and answers in the form that the request asks for.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from winnowry.judging.client import NotReached, Reply, ReplyLost

Served = tuple[int, Mapping[str, str], Any]
"""Status, headers and body: an object, bytes as they are, or a :class:`Cut` one."""


class Cut(bytes):
    """A body whose connection ends before it does."""


class Request:
    """What the script of a stand-in is asked: the body, the rollout in it, and which call about it this is."""

    def __init__(self, body: dict[str, Any], rollout: str, number: int, key: str | None) -> None:
        self.body, self.rollout, self.number, self.key = body, rollout, number, key

    def answer(self, label: str) -> str:
        """A content with this label for every criterion."""
        return json.dumps(dict.fromkeys(self.criteria, label))

    @property
    def criteria(self) -> list[str]:
        if "response_format" in self.body:
            return list(self.body["response_format"]["json_schema"]["schema"]["properties"])
        if "tools" in self.body:
            return list(self.body["tools"][0]["function"]["parameters"]["properties"])
        return re.findall(r'^- "([^"]+)":', self.body["messages"][0]["content"], re.MULTILINE)


Script = Callable[[Request], Served]


def completion(content: Any, finish: str | None = "stop", usage: Any = (1000, 20), **message: Any) -> Served:
    """A reply with one choice; ``usage``: tokens in and out, None for no key, or what stands there."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m-2026",
        "choices": [choice],
    }
    if isinstance(usage, tuple):
        usage = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    if usage is not None:
        body["usage"] = usage
    return 200, {}, body


class StandIn:
    """A server that is up: its URL, and the calls that it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: Counter[str] = Counter()
        self.keys: set[str | None] = set()


@contextmanager
def stand_in(script: Script) -> Iterator[StandIn]:
    """Serve a script on a free port."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            mark = re.search(r"ROLLOUT-\d\d", json.dumps(body["messages"]))
            rollout = mark.group() if mark else ""
            with lock:
                up.calls[rollout] += 1
                up.keys.add(self.headers.get("authorization"))
                number = up.calls[rollout]
            self.answer(*script(Request(body, rollout, number, self.headers.get("authorization"))))

        def answer(self, status: int, headers: Mapping[str, str], out: Any) -> None:
            data = out if isinstance(out, bytes) else json.dumps(out).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data) + (100 if isinstance(out, Cut) else 0)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = isinstance(out, Cut)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    up = StandIn(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield up
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class PlainTransport:
    """Sends by the standard library, a connection a call."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url, self._key = urlsplit(url), key

    def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NotReached(str(error)) from None
            headers = {"content-type": "application/json"} | (
                {"authorization": f"Bearer {self._key}"} if self._key else {}
            )
            try:
                connection.request("POST", f"{self._url.path}/chat/completions", json.dumps(body).encode(), headers)
                response = connection.getresponse()
                names = {name.lower(): value for name, value in response.getheaders()}
                return Reply(response.status, names, response.read())
            except (OSError, http.client.HTTPException) as error:
                raise ReplyLost(str(error), timed_out=isinstance(error, TimeoutError)) from None
        finally:
            connection.close()
