"""Lists of domains and URLs, as blacklists are published: read from files, hashed, and kept once a process."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from winnowry.operators.input_path import InputPath

_BLOCK = 1 << 20
_OF_A_FOLDER = ("domains", "urls")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/*", re.IGNORECASE)
_WWW = re.compile(r"www\d{0,2}\.")
_PARTS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#@]*@)?(\[[^\]/?#]*\]|[^/?#:\[\]]*)(?::\d*)?([^?#]*)", re.IGNORECASE
)
_MOST_LABELS = 64
_MOST_SEGMENTS = 64


class UrlList(BaseModel):
    """A category and the file, or folder of files, that lists its domains and URLs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str = Field(min_length=1, description="what a match is reported as, e.g. adult")
    path: InputPath = Field(
        description="file on every machine that runs the stage, a domain or URL a line (also .gz), or a folder with "
        "files `domains` and `urls`, as those of UT1 are; relative ones start at the folder the command runs in",
    )

    def files(self) -> list[Path]:
        """The files, which exist.

        Raises:
            ValueError: there is none.
        """
        path = Path(self.path).expanduser()
        files = [path] if path.is_file() else [path / name for name in _OF_A_FOLDER if (path / name).is_file()]
        if not files:
            raise ValueError(
                f"URL list {self.category!r}: {path.absolute()} is no file, and no folder with a file "
                f"{' or '.join(_OF_A_FOLDER)}; give its full path, or one relative to {Path.cwd()}"
            )
        return files

    def content_sha256(self) -> str:
        """Hash of the bytes of all files, read again when a size or time has changed."""
        digest = hashlib.sha256()
        for path in self.files():
            status = path.stat()
            content = _hash_of(os.fspath(path.absolute()), status.st_size, status.st_mtime_ns)
            digest.update(f"{path.name}:{content}\n".encode())
        return digest.hexdigest()

    def entries(self) -> Iterator[str]:
        """Domains and URLs as keys, see :func:`entry_key`; blank lines and comments (``#``) are passed over."""
        for path in self.files():
            with _opened(path) as lines:
                for line in lines:
                    if key := entry_key(line.decode("utf-8", "replace")):
                        yield key


class UrlIndex(NamedTuple):
    """Hashes of entries, rising, and the category of each."""

    hashes: npt.NDArray[np.uint64]
    categories: npt.NDArray[np.int32]

    def categories_of(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        """Number of the category of each hashed key, -1 where none lists it."""
        categories = np.full(len(keys), -1, dtype=np.int32)
        if len(self.hashes):
            place = np.minimum(np.searchsorted(self.hashes, keys), len(self.hashes) - 1)
            listed = self.hashes[place] == keys
            categories[listed] = self.categories[place[listed]]
        return categories


def index_of(lists: Iterable[Iterable[str]]) -> UrlIndex:
    """An index over the entries of several categories; of an entry in several the first counts.

    Entries are kept as 64 bits of BLAKE2b with the category, 12 bytes each: 5 million take 60 MB, and a billion
    look-ups among them give 0.0003 false matches.
    """
    hashes: list[npt.NDArray[np.uint64]] = [np.zeros(0, dtype=np.uint64)]
    categories: list[npt.NDArray[np.int32]] = [np.zeros(0, dtype=np.int32)]
    for number, entries in enumerate(lists):
        hashes.append(hashed(entries))
        categories.append(np.full(len(hashes[-1]), number, dtype=np.int32))
    joined, numbers = np.concatenate(hashes), np.concatenate(categories)
    unique, first = np.unique(joined, return_index=True)
    return UrlIndex(unique, numbers[first])


def hashed(keys: Iterable[str]) -> npt.NDArray[np.uint64]:
    """64 bits of BLAKE2b of each key."""
    digests = (hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest() for key in keys)
    return np.fromiter((int.from_bytes(digest, "little") for digest in digests), dtype=np.uint64)


def entry_key(line: str) -> str | None:
    """The key of a line of a list: ``host`` or ``host/path`` in lower case, without scheme, ``www.`` and a last ``/``.

    >>> entry_key("https://www.Example.org/Adult/ ")
    'example.org/adult'
    """
    text = _SCHEME.sub("", line.strip(), count=1) if "://" in line else line.strip()
    if not text or text.startswith("#"):
        return None
    host, _, path = text.partition("/")
    host = _host(host.removeprefix("*.").removeprefix("."))
    return f"{host}/{path.rstrip('/').lower()}".rstrip("/") if host else None


def host_and_path(url: str) -> tuple[str, str] | None:
    """Host (IDNA) without ``www.``, and path, both in lower case, of a URL; None where it has no host.

    >>> host_and_path("HTTP://user@www.Bücher.example:80/a/b?q#f")
    ('xn--bcher-kva.example', '/a/b')
    """
    address = _PARTS.match(url.strip())
    if address is None:
        return None
    host = _host(address[1])
    return (host, address[2].lower()) if host else None


def candidate_keys(host: str, path: str) -> list[str]:
    """Keys that would list a URL: its host, the domains above it, and its path up to every ``/``.

    >>> candidate_keys("a.example.org", "/x/y.html")
    ['a.example.org', 'example.org', 'org', 'a.example.org/x', 'a.example.org/x/y.html']
    """
    labels = host.split(".")[-_MOST_LABELS:]
    keys = [".".join(labels[first:]) for first in range(len(labels))]
    segments = path.strip("/").split("/")[:_MOST_SEGMENTS] if path.strip("/") else []
    return keys + [f"{host}/{'/'.join(segments[: last + 1])}" for last in range(len(segments))]


def _host(host: str) -> str:
    host = host.strip().rstrip(".").lower()
    if not host.isascii():
        with suppress(UnicodeError):  # no name that a resolver would take can still be listed as it is
            host = host.encode("idna").decode("ascii")
    shorter = _WWW.sub("", host, count=1) if host.startswith("www") else host
    return shorter if "." in shorter else host


def _opened(path: Path) -> IO[bytes]:
    return io.BufferedReader(gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


@lru_cache(maxsize=256)
def _hash_of(path: str, size: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
