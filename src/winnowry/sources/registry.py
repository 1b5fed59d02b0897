"""All source formats by name: the built-in ones and those of installed entry points (group ``winnowry.sources``)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import BinaryIO

import winnowry.sources
from winnowry.core.errors import UsageError
from winnowry.sources.base import Reader, SourceFormat, SourceSpec

_GROUP = "winnowry.sources"
_registered: dict[str, type[SourceFormat]] = {}


def formats() -> dict[str, type[SourceFormat]]:
    """Every source format by its name, sorted by name.

    Raises:
        UsageError: an entry point leads to no source format, or to one of a name that is in use.
    """
    return dict(sorted({**_installed(), **_registered}.items()))


def register(cls: type[SourceFormat]) -> type[SourceFormat]:
    """Add a format for this process; a format that is to be there in every process needs an entry point.

    Raises:
        UsageError: another format has its name.
    """
    _add(_registered, cls, formats())
    return cls


def format_of(source: SourceSpec, neighbour: Callable[[str], BinaryIO | None] = lambda name: None) -> Reader:
    """The reader of an object of a source.

    Args:
        source: the source.
        neighbour: opens another object of its folder by its name; None where there is none.
    """
    options = source.options.with_id_field(source.fields.id).with_neighbour(neighbour)
    return reader_of(options, source.fields.text or "text", source.members)


def reader_of(options: SourceFormat, text_field: str = "text", members: str | None = None) -> Reader:
    """The reader of a format.

    Args:
        options: the format, with its options.
        text_field: the field that the source maps as text.
        members: glob of the files to read, where the objects are tar or zip archives.
    """
    content = options.with_text_field(text_field)
    if members is None and not options.opens_zip:
        return content
    from winnowry.sources.tar import Tar
    from winnowry.sources.zip import Zip

    return Zip(content, members, otherwise=content if members is None else Tar(content, members))


@cache
def _installed() -> dict[str, type[SourceFormat]]:
    named: dict[str, type[SourceFormat]] = {}
    for module in pkgutil.iter_modules(winnowry.sources.__path__, f"{winnowry.sources.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if _is_format(value) and value.__module__ == module.name:
                _add(named, value, named)
    for entry in entry_points(group=_GROUP):
        cls = entry.load()
        if not _is_format(cls):
            raise UsageError(
                f"entry point {entry.name!r} of {_GROUP} leads to {entry.value}, which is no source format; expected "
                "a subclass of winnowry.sources.base.SourceFormat with a `name`"
            )
        _add(named, cls, named)
    return named


def _is_format(value: object) -> bool:
    """Whether it is a format that can be used: base classes that formats share have no name."""
    return isinstance(value, type) and issubclass(value, SourceFormat) and hasattr(value, "name")


def _add(to: dict[str, type[SourceFormat]], cls: type[SourceFormat], known: dict[str, type[SourceFormat]]) -> None:
    other = known.get(cls.name)
    if other is not None and other is not cls:
        raise UsageError(
            f"two source formats are named {cls.name!r}: {_place(other)} and {_place(cls)}; rename or uninstall one"
        )
    to[cls.name] = cls


def _place(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"
