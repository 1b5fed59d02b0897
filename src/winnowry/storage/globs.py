"""Patterns over object names: ``*`` inside a path component, ``**`` across components."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

_WILDCARD = re.compile(r"[*?\[]")
_Entry = TypeVar("_Entry")


def escape(name: str) -> str:
    """A pattern that matches exactly this name.

    >>> escape("a[1]*.json")
    'a[[]1][*].json'
    """
    return _WILDCARD.sub(lambda match: f"[{match.group()}]", name)


def literal_folder(pattern: str) -> str:
    """The part up to the last slash before the first wildcard, with that slash.

    >>> literal_folder("landing/aws/**/*.jsonl"), literal_folder("landing/a*/b"), literal_folder("landing/a.jsonl")
    ('landing/aws/', 'landing/', 'landing/')
    """
    wildcard = _WILDCARD.search(pattern)
    head = pattern[: wildcard.start()] if wildcard else pattern
    return head[: head.rfind("/") + 1]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Regular expression that matches a whole relative name.

    >>> match = compile_pattern("**/*.jsonl").fullmatch
    >>> [bool(match(name)) for name in ("a.jsonl", "x/y/a.jsonl", "a.jsonl.gz")]
    [True, True, False]
    """
    parts = pattern.split("/")
    expression = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            expression.append(".*" if last else "(?:[^/]+/)*")
        else:
            expression.append(_component(part) + ("" if last else "/"))
    return re.compile("".join(expression), re.DOTALL)


def _component(part: str) -> str:
    out, i = [], 0
    while i < len(part):
        char = part[i]
        i += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := part.find("]", i + 1)) > 0:
            body = part[i:end].replace("\\", "\\\\").replace("[", "\\[").replace("&", "\\&").replace("~", "\\~")
            if body.startswith("!"):
                body = "^" + body[1:]
            elif body.startswith("^"):
                body = "\\" + body
            out.append(f"[{body}]")
            i = end + 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def expand(
    folder: str,
    pattern: str,
    *,
    files: Callable[[str, str], Iterator[tuple[str, _Entry]]],
    folders: Callable[[str, str], Iterator[str]],
    below: Callable[[str], Iterator[tuple[str, _Entry]]],
) -> Iterator[_Entry]:
    """Walk a tree of names and yield what matches, in name order, listing no more than needed.

    Args:
        folder: where to start; empty or ending with ``/``.
        pattern: relative to ``folder``.
        files: (folder, start of name) to (name, entry) of the objects directly in the folder, sorted by name.
        folders: (folder, start of name) to names of the folders directly in it, sorted by ``name + "/"``.
        below: folder to (relative name, entry) of all objects at any depth, sorted by relative name.
    """
    part, _, rest = pattern.partition("/")
    if part == "**":
        match = compile_pattern(pattern).fullmatch
        yield from (entry for name, entry in below(folder) if match(name))
        return
    wildcard = _WILDCARD.search(part)
    head = part[: wildcard.start()] if wildcard else part
    matches = compile_pattern(part).fullmatch
    if not rest:
        yield from (entry for name, entry in files(folder, head) if matches(name))
    elif wildcard is None:
        yield from expand(f"{folder}{part}/", rest, files=files, folders=folders, below=below)
    else:
        for name in folders(folder, head):
            if matches(name):
                yield from expand(f"{folder}{name}/", rest, files=files, folders=folders, below=below)
