"""Asks an ASGI application, as a browser or a program would, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

HOST = "127.0.0.1:3000"


@dataclass(frozen=True)
class Answer:
    """What came back; status 101 is a websocket that was accepted, 403 one that was not."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    app: Any,
    target: str,
    *,
    method: str = "GET",
    host: str | None = HOST,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    websocket: bool = False,
) -> Answer:
    """Send one request and collect the answer."""
    path, _, query = target.partition("?")
    sent = [] if host is None else [("host", host)]
    scope = {
        "type": "websocket" if websocket else "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws" if websocket else "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (*sent, *headers)],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 3000),
        "subprotocols": ["graphql-ws"],
    }
    if websocket:
        del scope["method"]
    incoming = [{"type": "websocket.connect"}] if websocket else [{"type": "http.request", "body": body}]
    ended = {"type": "websocket.disconnect", "code": 1000} if websocket else {"type": "http.disconnect"}
    answers: list[dict[str, Any]] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else ended

    async def send(message: Any) -> None:
        answers.append(dict(message))

    asyncio.run(app(scope, receive, send))
    if websocket:
        return Answer(101 if answers[0]["type"] == "websocket.accept" else 403, {}, b"")
    start = answers[0]
    fields = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], fields, b"".join(answer.get("body", b"") for answer in answers[1:]))
