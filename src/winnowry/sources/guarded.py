"""A reader that fails costs one object: its exception becomes an unreadable place, and the run goes on."""

from __future__ import annotations

from collections.abc import Iterator

from winnowry.core.errors import DataError, WinnowryError
from winnowry.sources.base import Record, Unreadable, unreadable
from winnowry.sources.streams import BrokenStreamError


def guarded(items: Iterator[Record | Unreadable], operator: str, uri: str) -> Iterator[Record | Unreadable]:
    """The items of a reader; where it raises, a last item ``reader_failed`` with the name of the exception.

    Errors that winnowry raises on purpose pass (the store's among them: the object may be whole), as do
    :class:`KeyboardInterrupt` and what else ends a process. What comes after the failure is not read.

    Args:
        items: what :meth:`~winnowry.sources.base.Reader.read` returns.
        operator: what the failure is attributed to, e.g. ``source.jsonl``.
        uri: the object.

    Raises:
        DataError: the machine has too little memory; on another one the object may be read.
    """
    position = 0
    try:
        for item in items:
            position = item.position + 1
            yield item
    except BrokenStreamError as broken:
        reason, value, threshold = broken.reason, broken.value, broken.threshold
        yield unreadable(position, operator, reason, broken.beginning, value, threshold, ends_object=True)
    except MemoryError as error:
        raise DataError(
            f"{uri}: too little memory to read it: {error}. Run where there is more, or land the object in smaller "
            "pieces."
        ) from error
    except BaseException as error:
        if not is_failure(error):
            raise
        yield unreadable(position, operator, "reader_failed", b"", named(error), ends_object=True)


def is_failure(error: BaseException) -> bool:
    """Whether an exception is the failure of code on one input, and not of the store or the machine.

    A panic of Rust code arrives as an exception that is no :class:`Exception`.
    """
    if isinstance(error, WinnowryError | MemoryError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def named(error: BaseException) -> str:
    """An exception as ``Name: message``."""
    return f"{type(error).__name__}: {error}"
