"""Dagster's web server behind the guard, with the pages of the lake beside it; takes ``dagster-webserver``'s options.

``winnowry ui`` starts it, and so does a deployment::

    python -m winnowry.runs.webserver --host 0.0.0.0 --port 3000 --workspace workspace.yaml

The environment names the rest: ``WINNOWRY_ROOT`` the lake, ``WINNOWRY_UI_HOSTS`` further names that the server is
known by (those of a proxy, with commas between them), and ``WINNOWRY_UI_TOKEN`` the token that is asked for. A server
that listens on more than the loopback interface always asks for one, and prints one where none is named.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

from winnowry.runs.guard import Guard, served_hosts
from winnowry.runs.lake_pages import PREFIX, lake_page

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware

HOSTS, TOKEN = "WINNOWRY_UI_HOSTS", "WINNOWRY_UI_TOKEN"
_LOOPBACK = ("localhost", "::1", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on an address.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    return host in _LOOPBACK or host.startswith("127.")


def make_token() -> str:
    """A token that nobody guesses, of characters that an address and a cookie take as they are."""
    return secrets.token_urlsafe(24)


def guarded(host: str, port: int, root: str, *, also: tuple[str, ...] = (), token: str | None = None) -> type[Any]:
    """Dagster's server class, with the guard in front and the lake's pages beside.

    Args:
        host: address that the server listens on.
        port: port that it listens on.
        root: the lake.
        also: further names that the server is known by.
        token: asked for where given.
    """
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.middleware import Middleware
    from starlette.routing import Route

    hosts = served_hosts(host, port, also)

    class GuardedWebserver(DagsterWebserver[Any, Any]):
        """Dagster's server for its own pages and for programs, not for pages of others."""

        def build_middleware(self) -> list[Middleware]:
            """The guard first: nothing else sees what it refuses."""
            return [Middleware(Guard, hosts=hosts, token=token), *super().build_middleware()]

        def build_routes(self) -> list[Any]:
            """The lake's pages before the route that takes every path."""
            return [Route(f"{PREFIX}{{path:path}}", lake_page), *super().build_routes()]  # type: ignore[no-untyped-call]

        def create_asgi_app(self, **options: Any) -> Starlette:
            """The application, which knows the lake."""
            app: Starlette = super().create_asgi_app(**options)
            app.state.lake_root = root
            return app

    return GuardedWebserver


def main() -> None:
    """Serve, with the options of ``dagster-webserver``."""
    import dagster_webserver.app as app
    import dagster_webserver.cli as cli

    arguments = sys.argv[1:]
    host = _value(arguments, ("--host", "-h")) or "127.0.0.1"
    port = int(_value(arguments, ("--port", "-p")) or cli.DEFAULT_WEBSERVER_PORT)
    token = os.environ.get(TOKEN) or None
    if token is None and not is_loopback(host):
        token = make_token()
        sys.stderr.write(f"open the UI once with ?token={token} behind its address; {TOKEN} sets another\n")
    also = tuple(name.strip() for name in os.environ.get(HOSTS, "").split(",") if name.strip())
    root = os.environ.get("WINNOWRY_ROOT", "lake")
    # The name that Dagster's own command looks its server up by.
    app.DagsterWebserver = guarded(host, port, root, also=also, token=token)  # type: ignore[attr-defined]
    cli.main()  # type: ignore[no-untyped-call]


def _value(arguments: list[str], names: tuple[str, ...]) -> str | None:
    """The value of an option, given as ``--name value`` or ``--name=value``."""
    for position, argument in enumerate(arguments):
        name, assigned, value = argument.partition("=")
        if argument in names:
            return arguments[position + 1]
        if assigned and name in names:
            return value
    return None


if __name__ == "__main__":
    main()
