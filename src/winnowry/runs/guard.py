"""What stands in front of Dagster's web server: it answers its own pages, and nobody else's.

Dagster's server takes a mutation from any page that is open in the same browser, by GET, by a form and by a websocket.
A browser says who asks, in headers that a page cannot forge: Host, Origin and Sec-Fetch-Site. Programs that are no
browser send the latter two only if they want to.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

COOKIE = "winnowry_token"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Names that a browser on this machine may call the server by."""

_HEADERS = (
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OWN_ONLY = ("graphql", "notebook", "dagit/notebook", "logs", "download_debug")
"""Paths that no other site may lead to, not even by a link: they answer with data, or run what they are given."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not passed on.

    Attributes:
        status: HTTP status.
        reason: said to the client, with what to do.
    """

    status: int
    reason: str


def served_hosts(host: str, port: int, also: Iterable[str] = ()) -> frozenset[str]:
    """Values of the Host header that a server is known by.

    Args:
        host: address that it listens on.
        port: port that it listens on.
        also: further names, as ``NAME`` or ``NAME:PORT``: those of a proxy in front of it.

    >>> sorted(served_hosts("127.0.0.1", 3000, ["lake.example"]))
    ['127.0.0.1:3000', '[::1]:3000', 'lake.example', 'lake.example:3000', 'localhost:3000']
    """
    bound = f"[{host}]" if ":" in host and not host.startswith("[") else host
    names = {f"{name.lower()}:{port}" for name in (*LOOPBACK, bound, *also) if not _has_port(name)}
    if port == 80:  # which a browser leaves out
        names |= {name.removesuffix(":80") for name in names}
    return frozenset(names | {name.lower() for name in also})


def _has_port(name: str) -> bool:
    return name.rpartition("]")[2].count(":") == 1


class Guard:
    """Passes on what the server's own pages and programs ask; refuses what pages of others do.

    Args:
        app: the server.
        hosts: names that it is known by; see :func:`served_hosts`.
        token: asked for with every request where given: as a cookie, which ``?token=`` sets, or as a bearer token.
    """

    def __init__(self, app: App, hosts: Iterable[str], token: str | None = None) -> None:
        self._app, self._hosts, self._token = app, frozenset(hosts), token
        self._origins = frozenset(f"{scheme}://{host}" for host in self._hosts for scheme in ("http", "https"))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self.refusal(scope)
        if refusal is None and self._token is not None and not self._signed_in(scope, self._token):
            if scope["type"] == "http" and _same(_query_token(scope), self._token):
                await _sign_in(scope, send, self._token)
                return
            refusal = Refusal(401, "open the address with ?token=… that was printed when the server started")
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
        else:
            await _answer(_with_headers(send), refusal.status, [], f"{refusal.reason}\n")

    def refusal(self, scope: Message) -> Refusal | None:
        """Why a request is refused; None where it is passed on."""
        headers = _headers(scope)
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return Refusal(421, "no server of this name is here; the option --allow-host NAME adds one")
        if any(origin.lower() not in self._origins for origin in origins):
            return Refusal(403, "asked by a page of another origin")
        path = scope["path"]
        if "\\" in path or "\0" in path or any(part in (".", "..") for part in path.split("/")):
            return Refusal(400, "a path without . and .. is expected")
        # Pages of other ports of this machine are "same-site", and strangers none the less.
        if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])) and not (
            _is_link(scope, headers) and not _starts(path, _OWN_ONLY)
        ):
            return Refusal(403, "asked by a page of another site")
        return None if scope["type"] == "websocket" else _wrong_form(scope, headers)

    def _signed_in(self, scope: Message, token: str) -> bool:
        headers = _headers(scope)
        offered = [value.removeprefix("Bearer ") for value in headers.get("authorization", [])]
        for value in headers.get("cookie", []):
            try:
                cookie = SimpleCookie(value).get(COOKIE)
            except CookieError:
                continue
            offered += [cookie.value] if cookie is not None else []
        return any(_same(value, token) for value in offered)


def _wrong_form(scope: Message, headers: dict[str, list[str]]) -> Refusal | None:
    """A request that a page can make without asking the server first, where it could change something."""
    method = scope["method"]
    if method == "POST":
        kinds = [value.split(";")[0].strip().lower() for value in headers.get("content-type", [])]
        if kinds != ["application/json"]:
            return Refusal(415, "expected Content-Type: application/json")
    elif _starts(scope["path"], ("graphql",)) and scope["query_string"]:
        return Refusal(405, "a query is sent by POST, as application/json")
    return None


def _is_link(scope: Message, headers: dict[str, list[str]]) -> bool:
    """Whether somebody followed a link: the browser goes to the page, and who led to it sees nothing of it."""
    return (
        scope.get("method") in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == ["navigate"]
        and headers.get("sec-fetch-dest") == ["document"]
    )


def _starts(path: str, places: Iterable[str]) -> bool:
    path = path.strip("/").lower()
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _headers(scope: Message) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _same(offered: str, token: str) -> bool:
    return hmac.compare_digest(offered.encode("utf-8", "replace"), token.encode())


def _query_token(scope: Message) -> str:
    query: str = scope["query_string"].decode("latin-1")
    return parse_qs(query).get("token", [""])[0]


async def _sign_in(scope: Message, send: Send, token: str) -> None:
    """To the same page without the token in its address; to no other server, which ``//name`` would be."""
    path = "/" + scope["path"].lstrip("/")
    place = path.encode("ascii", "ignore").decode().replace("\r", "").replace("\n", "")
    cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
    await _answer(send, 303, [(b"location", place.encode()), (b"set-cookie", cookie.encode())], "")


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            more = [(name, value) for name, value in _HEADERS if name not in names]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending
