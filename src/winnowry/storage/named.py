"""Say where storage failed and what to do: what Lance raises names neither the stage nor the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from winnowry.core.errors import StorageError
from winnowry.storage.refusals import is_storage_failure, panics_as_damage, storage_refusal


@contextmanager
def storage_named(where: str, root: str, *, then: str = "") -> Iterator[None]:
    """Turn the bare errors of Lance, Arrow and the operating system into a ``StorageError`` that names the place.

    Args:
        where: what was being done, e.g. ``aws_docs/cleaned[2019]``.
        root: root of the lake.
        then: what to do once the cause is removed.

    Raises:
        AccessDeniedError, BucketNotFoundError, StoreUnreachableError, StorageError: in place of the bare error; errors
            that do not come from storage are left as they are.
        TableFormatError: in place of a panic of Lance's.
    """
    try:
        with panics_as_damage(where):
            yield
    except (OSError, ValueError) as error:
        if not is_storage_failure(error):
            raise
        known = storage_refusal(error)
        kind, cause = (type(known), str(known)) if known is not None else (StorageError, f"storage failed: {error}")
        raise kind(f"{where}: {cause}{f', then {then}' if then else ''}. Root {root}") from error
