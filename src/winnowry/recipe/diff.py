"""What changed between two stage specifications, in words."""

from __future__ import annotations

from typing import Any


def diff_specs(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line a change, e.g. ``text.length: min_words 50 → 80``."""
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
        before, after = _named(old), _named(new)
        for name in [*before, *(n for n in after if n not in before)]:
            if name not in after:
                lines.append(f"{name}: removed")
            elif name not in before:
                lines.append(f"{name}: added")
            else:
                for key in sorted(set(before[name]) | set(after[name])):
                    was, now = before[name].get(key), after[name].get(key)
                    if was != now:
                        lines.append(f"{name}: {key} {was} → {now}")
        if list(before) != list(after) and set(before) == set(after):
            lines.append(f"{path}: order changed")
    else:
        lines.append(f"{path}: {old} → {new}")


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
