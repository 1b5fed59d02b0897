"""What sources may read: the root, and the places that the operator of the machine declares.

Recipes are written by others than those who run them, and so is what lands: neither may name any file that this
account can read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache

from winnowry.core.errors import UsageError
from winnowry.storage.objects import ObjectStore

VARIABLE = "WINNOWRY_ALLOWED_ROOTS"
"""Folders and ``s3://bucket/prefix`` beside the root, separated by white space."""


def check_within_reach(store: ObjectStore, what: str, uri_glob: str, shown: str) -> None:
    """Refuse a pattern that begins outside the root and the declared places.

    Args:
        store: of the root.
        what: whose pattern it is, for the message.
        uri_glob: the pattern.
        shown: how it is written, for the message: a value of an environment variable is not repeated.

    Raises:
        UsageError: it does.
    """
    if not _leads_within(store.literal_prefix(uri_glob), _allowed(store)):
        raise UsageError(
            f"{what} reads {shown}, which lies outside the root {store.root}. If it is to be read on this machine, "
            f"declare its folder or s3://bucket/prefix: export {VARIABLE}=…; recipes cannot do that"
        )


def why_out_of_reach(store: ObjectStore, uri_glob: str) -> Callable[[str], str | None]:
    """A function that tells of an object which a pattern matches whether a link leads out of the landing to it.

    The landing of a pattern is the first folder of its path below the root, or the declared place that it lies in.

    Args:
        store: of the root.
        uri_glob: the pattern.

    Returns:
        Takes the URI of an object; gives where it really lies if that is somewhere else, else None.
    """
    prefix = store.literal_prefix(uri_glob)
    if "://" in prefix:
        return lambda uri: None
    declared = [place for place in _allowed(store)[1:] if "://" not in place]
    root = _allowed(store)[0]
    real_prefix = os.path.realpath(prefix)
    below = real_prefix.removeprefix(root.rstrip("/") + "/") if real_prefix != root else ""
    first = below.split("/", 1)[0]
    landing = os.path.join(root, first) if first and below != real_prefix else root  # noqa: PTH118
    allowed = [landing, *declared]
    folder_of = lru_cache(maxsize=16)(os.path.realpath)

    def outside(uri: str) -> str | None:
        folder, _, name = uri.rpartition("/")
        real = os.path.realpath(uri) if os.path.islink(uri) else f"{folder_of(folder or '/').rstrip('/')}/{name}"  # noqa: PTH114
        return None if _leads_within(real, allowed) else real

    return outside


def _allowed(store: ObjectStore) -> list[str]:
    """Where things really lie: the root first, then the declared places."""
    return [_real(place) for place in (store.root, *os.environ.get(VARIABLE, "").split())]


def _real(place: str) -> str:
    if "://" in place and not place.startswith("file://"):
        return place.rstrip("/")
    return os.path.realpath(os.path.expanduser(place.removeprefix("file://")))  # noqa: PTH111


def _leads_within(place: str, allowed: list[str]) -> bool:
    real = _real(place)
    return any(f"{real}/".startswith(f"{folder.rstrip('/')}/") for folder in allowed)
