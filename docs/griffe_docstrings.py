"""Makes Markdown of what docstrings write for other readers: doctests and cross-references."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^(?P<indent>[ \t]*)>>> .*(?:\n(?![ \t]*\n).+)*", re.MULTILINE)
ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?(?P<path>[^`]+)`")


class Docstrings(griffe.Extension):
    """Fences doctests, which would be quotations, and shortens roles such as ``:class:`` to the name they point at."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(_name, DOCTEST.sub(_fenced, obj.docstring.value))


def _fenced(match: re.Match[str]) -> str:
    indent = match["indent"]
    return f"{indent}```pycon\n{match[0]}\n{indent}```"


def _name(match: re.Match[str]) -> str:
    return f"`{match['path'].rpartition('.')[2]}`"
