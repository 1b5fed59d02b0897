"""A YAML document as plain data, with the place of every key and value."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from winnowry.core.errors import RecipeError
from winnowry.recipe.messages import Path, Problem

_MOST_VALUES = 100_000


class Document:
    """One parsed file.

    YAML 1.2: ``no`` is text and ``1e-3`` a number. A repeated key is a mistake, all of which are in
    :attr:`problems`, with the place of the second one.

    Args:
        file: path shown in messages.
        text: its content.

    Raises:
        RecipeError: not YAML, or not a mapping.
    """

    def __init__(self, file: FilePath, text: str) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        self.file = file
        self.problems: list[tuple[str, str]] = []
        """(position, message) of repeated keys."""
        reader = YAML(typ="safe", pure=True)
        reader.allow_duplicate_keys = True
        try:
            self._root = reader.compose(text)
            refuse_bomb(self._root)
            self.data: Any = _plain(reader.load(text))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"
            raise RecipeError((f"{file}:{at}: recipe: not YAML: {error.problem or error}",)) from error
        except RecursionError as error:
            raise RecipeError((f"{file}:1:1: recipe: not a recipe: it is nested too deep",)) from error
        except (YAMLError, ValueError) as error:
            raise RecipeError((f"{file}:1:1: recipe: not YAML: {str(error).splitlines()[0]}",)) from error
        if not isinstance(self.data, dict):
            raise RecipeError((f"{file}:1:1: recipe: expected a mapping with version, corpus, sources, …",))
        self._find_repeated(self._root, ())

    def line(self, problem: Problem) -> str:
        """``file:line:col: path: message``."""
        return f"{self.file}:{self.position(problem.path, problem.at_key)}: {problem.dotted}: {problem.message}"

    def position(self, path: Path, at_key: bool = False) -> str:
        """``line:col``, both from 1, of a value (or its key); of the nearest thing around it that exists."""
        node = self._root
        mark = node.start_mark
        for index, part in enumerate(path):
            child = _child(node, part)
            if child is None:
                break
            key, node = child
            mark = key.start_mark if at_key and index == len(path) - 1 else node.start_mark
        return f"{mark.line + 1}:{mark.column + 1}"

    def written(self, path: Path) -> str | None:
        """The text of a scalar as it stands in the file, or None."""
        node = self._root
        for part in path:
            child = _child(node, part)
            if child is None:
                return None
            node = child[1]
        return node.value if isinstance(node.value, str) else None

    def _find_repeated(self, node: Any, path: Path) -> None:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        if isinstance(node, MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, mark = str(key.value), key.start_mark
                if name in lines:
                    dotted = ".".join(str(part) for part in (*path, name))
                    self.problems.append(
                        (
                            f"{self.file}:{mark.line + 1}:{mark.column + 1}",
                            f"{dotted}: a second {name!r} in the same mapping (the first is in line {lines[name]})",
                        )
                    )
                lines.setdefault(name, mark.line + 1)
                self._find_repeated(value, (*path, name))
        elif isinstance(node, SequenceNode):
            for index, value in enumerate(node.value):
                self._find_repeated(value, (*path, index))


def _child(node: Any, part: str | int) -> tuple[Any, Any] | None:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _plain(value: Any) -> Any:
    """Keys as text; numbers without a fraction as integers, so that ``tokens: 1e9`` is one."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def parse_value(text: str) -> Any:
    """One value as YAML 1.2 reads it: ``80``, ``0.5``, ``[en, no]``.

    Raises:
        ValueError: written out, its aliases are too many values, or it is nested too deep.
    """
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
    try:
        refuse_bomb(reader.compose(text))
        return _plain(reader.load(text))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def refuse_bomb(root: Any) -> None:
    """Refuse a document whose aliases stand for more values than any recipe has, or for themselves.

    Args:
        root: as YAML composes it: an alias is the node that it stands for.

    Raises:
        ValueError: with the number of values.
    """
    sizes: dict[int, int | None] = {}

    def size(node: Any) -> int:
        known = sizes.get(id(node), 0)
        if known is None:
            raise ValueError("an alias (`*name`) stands for a value that it is a part of")
        if known:
            return known
        sizes[id(node)] = None
        value = getattr(node, "value", None)
        parts = (
            [part for item in value for part in (item if isinstance(item, tuple) else (item,))]
            if isinstance(value, list)
            else []
        )
        sizes[id(node)] = total = 1 + sum(map(size, parts))
        return total

    if (total := size(root)) > _MOST_VALUES:
        raise ValueError(f"with its aliases (`*name`) written out it has {total:,} values; at most {_MOST_VALUES:,}")
