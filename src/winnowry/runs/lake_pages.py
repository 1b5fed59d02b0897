"""Pages of the lake, served beside the UI: release pages, cards and Data Docs, and nothing else below the root.

They are data: a page is shown in a sandbox, where it is of no origin and may ask the UI for nothing. The page of a
promotion's suites is shown as Great Expectations makes it, which is done when it is opened.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from winnowry.core.errors import WinnowryError
from winnowry.gates.docs import SUITES_PAGE, stored_results

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PREFIX = "/lake/"
"""Where they are served."""

_log = logging.getLogger(__name__)

_MOST_BYTES = 64 * 2**20
_PAGE = re.compile(
    r"(?P<corpus>[A-Za-z0-9_]+)/"
    r"(?:releases/[A-Za-z0-9_.-]+/(?:page\.html|card\.croissant\.json|README\.md|recipe\.json)"
    r"|data_docs/(?:[^/\\\x00-\x1f]+/)*[^/\\\x00-\x1f]+\.html)"
)
_KINDS = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/plain; charset=utf-8",
}
_HEADERS = {
    "content-security-policy": (
        "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src 'self' data:; font-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page_address(uri: str, corpus: str) -> str | None:
    """Where the UI serves an object of the lake; None where it does not.

    >>> page_address("s3://bucket/lake/letters/releases/v1/page.html", "letters")
    '/lake/letters/releases/v1/page.html'
    >>> page_address("/data/lake/letters/raw.lance", "letters") is None
    True
    """
    from urllib.parse import quote

    for kind in ("releases", "data_docs"):
        _, mark, rest = f"/{uri}".rpartition(f"/{corpus}/{kind}/")
        path = f"{mark[1:]}{rest}"
        if mark and is_page(path):
            return PREFIX + quote(path)
    return None


def is_page(path: str) -> bool:
    """Whether a path below the root is one of the pages that are shown."""
    return _PAGE.fullmatch(path) is not None and not any(part in (".", "..") for part in path.split("/"))


async def lake_page(request: Request) -> Response:
    """Answer with a page of the lake, from a folder or a bucket."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import PlainTextResponse, Response

    path = request.path_params["path"]
    body = await run_in_threadpool(read_page, request.app.state.lake_root, path) if is_page(path) else None
    if body is None:
        return PlainTextResponse(f"the lake has no page {path}\n", 404)
    return Response(body, media_type=_KINDS[path.rpartition(".")[2]], headers=_HEADERS)


def read_page(root: str, path: str) -> bytes | None:
    """The bytes of a page; None where there is none, or where the path leaves its corpus by a symbolic link."""
    from winnowry.storage.open import open_store

    try:
        store = open_store(root)
        if "://" not in store.root and not _stays(Path(store.root), path):
            return None
        with store.open(f"{store.root.rstrip('/')}/{path}") as stream:
            body = stream.read(_MOST_BYTES + 1)
    except (WinnowryError, OSError):
        return None
    if len(body) > _MOST_BYTES:
        return None
    return _by_great_expectations(body) if path.endswith(f"/{SUITES_PAGE}") else body


def _by_great_expectations(page: bytes) -> bytes:
    """What Great Expectations shows of a promotion's suites; the page itself where it cannot be made."""
    try:
        stored = stored_results(page.decode("utf-8"))
        if stored is None:
            return page
        from winnowry.gates.native_docs import page_of_stored

        return page_of_stored(stored).encode("utf-8", "replace")
    except Exception:  # anything may lie there, and the page says by itself what was judged
        _log.warning("Great Expectations cannot show a page of results", exc_info=True)
        return page


def _stays(root: Path, path: str) -> bool:
    """Whether a path leads where it says. A corpus may lie elsewhere by a link of its folder, a page may not."""
    corpus, _, rest = path.partition("/")
    folder = (root / corpus).resolve()
    return (folder / rest).resolve() == folder / rest
