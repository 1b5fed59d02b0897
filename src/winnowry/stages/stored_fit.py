"""Fit artefacts on the store: JSON that people can read, and models beside it that workers fetch on first use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from winnowry.core.errors import DataError, NotFoundError, TableFormatError
from winnowry.core.formats import from_bytes, to_bytes
from winnowry.core.jsonable import digest
from winnowry.storage.globs import escape
from winnowry.storage.objects import ObjectStore

_BINARY = "binary_sha256"


class StoredFit(Mapping[str, Any]):
    """A fit as its operator made it; values that are bytes are read from the store on first use, once a process.

    Pickled to a worker it is as small as its JSON: the worker reads the models itself.

    Args:
        store: where it lies.
        uri: its JSON; models lie beside it.
        document: the parsed JSON, where a model is ``{"binary_sha256": …, "bytes": …}``.
    """

    def __init__(self, store: ObjectStore, uri: str, document: Mapping[str, Any]) -> None:
        self._store, self._uri, self.document = store, uri, document

    def __getitem__(self, name: str) -> Any:
        value = self.document[name]
        if isinstance(value, dict) and _BINARY in value:
            return _binary(self._store, _binary_uri(self._uri, value[_BINARY]), value[_BINARY])
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)


def write_fit(store: ObjectStore, uri: str, fit: Mapping[str, Any], *, anew: bool = False) -> None:
    """Store a fit unless there is one already: of two runs that fit at once the first to write wins.

    Args:
        store: the object store.
        uri: where its JSON goes (``….json``); each value that is bytes goes beside it, named by its hash.
        fit: JSON values, and bytes, by name.
        anew: it takes the place of the one there is.
    """
    document: dict[str, Any] = {}
    for name, value in fit.items():
        if isinstance(value, bytes):
            sha256 = hashlib.sha256(value).hexdigest()
            store.write(_binary_uri(uri, sha256), value, if_absent=not anew)
            document[name] = {_BINARY: sha256, "bytes": len(value)}
        else:
            document[name] = value
    # Last: a fit that can be seen is whole.
    store.write(uri, to_bytes("fit", document), if_absent=not anew)


def read_fit(store: ObjectStore, uri: str) -> StoredFit:
    """Open a stored fit; its models are not read yet."""
    return StoredFit(store, uri, from_bytes("fit", uri, store.read(uri)).content)


def digests_of(fit: StoredFit) -> dict[str, str]:
    """Digest of every value of a fit, by name; of a model its hash."""
    return {name: digest(value) for name, value in fit.document.items()}


def damage_of(store: ObjectStore, uri: str, digests: Mapping[str, str]) -> str | None:
    """Why a stored fit cannot be used, in words; None where it can, as far as the sizes of its models tell.

    Args:
        store: where it lies.
        uri: its JSON.
        digests: what was recorded of its values, see :func:`digests_of`; others may have come since.
    """
    try:
        fit = read_fit(store, uri)
    except NotFoundError:
        return f"{uri} is gone"
    except TableFormatError as error:
        if not error.damaged:
            raise
        return str(error)
    now = digests_of(fit)
    changed = sorted(name for name in digests if now.get(name) != digests[name])
    if changed:
        return f"{uri} does not hold what was recorded: {', '.join(changed)}"
    for value in fit.document.values():
        if isinstance(value, dict) and _BINARY in value:
            model = _binary_uri(uri, value[_BINARY])
            sizes = [info.size for info in store.list(escape(model))]
            if not sizes:
                return f"{model} is gone"
            if sizes[0] != value["bytes"]:
                return f"{model} has {sizes[0]:,} bytes and not {value['bytes']:,}"
    return None


def _binary_uri(uri: str, sha256: str) -> str:
    return f"{uri.removesuffix('.json')}.{sha256[:32]}.bin"


def _binary(store: ObjectStore, uri: str, sha256: str) -> bytes:
    return _read(_Reader(store, uri, sha256))


class _Reader:
    """What to read; equal by where it lies and what it holds, so that another store object does not read it again."""

    def __init__(self, store: ObjectStore, uri: str, sha256: str) -> None:
        self.store, self.uri, self.sha256 = store, uri, sha256

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reader) and (self.uri, self.sha256) == (other.uri, other.sha256)

    def __hash__(self) -> int:
        return hash((self.uri, self.sha256))


@lru_cache(maxsize=4)
def _read(reader: _Reader) -> bytes:
    data = reader.store.read(reader.uri)
    actual = hashlib.sha256(data).hexdigest()
    if actual != reader.sha256:
        raise DataError(
            f"{reader.uri}: SHA-256 {actual}, expected {reader.sha256}: the model is damaged. Delete it and the JSON "
            "beside it, and run the `fit` stage again"
        )
    return data
