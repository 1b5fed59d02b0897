"""What changed between two stage specifications, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def diff_specs(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line a change, e.g. ``text.length: min_words 50 → 80``.

    >>> diff_specs({"sources": [{"name": "a", "format": "csv"}]}, {"sources": [{"name": "a", "format": "tsv"}]})
    ['sources.a.format: csv → tsv']
    """
    lines: list[str] = []
    _walk("", old, new, lines)
    return lines


def _walk(path: str, old: Any, new: Any, lines: list[str]) -> None:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            _walk(f"{path}.{key}" if path else key, old.get(key), new.get(key), lines)
    elif _operators(old) and _operators(new):
        _walk_parts(path, _named(old), _named(new), lines, _compare_operators)
    elif _named_parts(old) and _named_parts(new):
        before, after = ({f"{path}.{item['name']}": item for item in items} for items in (old, new))
        _walk_parts(path, before, after, lines, _walk)
    else:
        lines.append(f"{path}: {old} → {new}")


def _walk_parts(
    path: str,
    before: dict[str, dict[str, Any]],
    after: dict[str, dict[str, Any]],
    lines: list[str],
    compare: Callable[[str, dict[str, Any], dict[str, Any], list[str]], None],
) -> None:
    """Parts that are known by name: removed, added, changed, or in another order."""
    for name in [*before, *(n for n in after if n not in before)]:
        if name in before and name in after:
            compare(name, before[name], after[name], lines)
        else:
            lines.append(f"{name}: {'removed' if name in before else 'added'}")
    if list(before) != list(after) and set(before) == set(after):
        lines.append(f"{path}: order changed")


def _compare_operators(name: str, before: dict[str, Any], after: dict[str, Any], lines: list[str]) -> None:
    for key in sorted(set(before) | set(after)):
        was, now = before.get(key), after.get(key)
        if was != now:
            lines.append(f"{name}: {key} {was} → {now}")


def _named_parts(value: Any) -> bool:
    """Whether a list has parts that are known by their names, e.g. sources."""
    if not isinstance(value, list) or not all(isinstance(item, dict) and "name" in item for item in value):
        return False
    return len({str(item["name"]) for item in value}) == len(value)


def _operators(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "op" in item for item in value)


def _named(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    named: dict[str, dict[str, Any]] = {}
    for item in items:
        name = str(item.get("as") or item["op"])
        while name in named:
            name += "'"
        named[name] = item
    return named
