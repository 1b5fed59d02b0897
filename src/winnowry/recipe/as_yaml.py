"""A recipe as the YAML that a file would hold: only what is set, so that defaults stay defaults."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_DISCRIMINATORS = ("op", "kind")
"""Fields that say which class a mapping means: written even where their class sets them by itself."""


def written(part: BaseModel) -> dict[str, Any]:
    """Fields of a part that are set, as plain data; ``load_recipe`` reads the same part from it.

    >>> from winnowry.recipe.model import Source
    >>> written(Source(name="pages", uri="landing/*.jsonl"))
    {'name': 'pages', 'uri': 'landing/*.jsonl'}
    """
    dumped = part.model_dump(mode="json", by_alias=True)
    data: dict[str, Any] = {}
    for name, field in type(part).model_fields.items():
        key = field.alias or name
        if key in dumped and (name in part.model_fields_set or name in _DISCRIMINATORS):
            data[key] = _plain(getattr(part, name), dumped[key])
    return data | {key: dumped[key] for key in part.model_extra or {} if key in dumped}


def _plain(value: object, dumped: Any) -> Any:
    if isinstance(value, BaseModel):
        return written(value)
    if isinstance(value, tuple | list):
        return [_plain(item, plain) for item, plain in zip(value, dumped, strict=True)]
    if isinstance(value, Mapping):
        return {key: _plain(item, dumped[key]) for key, item in value.items()}
    return dumped


def as_yaml(recipe: BaseModel) -> str:
    """A recipe as YAML; files of ``python`` columns by their absolute paths, so that it holds in any folder."""
    from ruamel.yaml import YAML

    data = written(recipe)
    for column in data.get("columns") or ():
        if column.get("python") is not None:
            column["python"] = str(Path(column["python"]).absolute())
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.allow_unicode = True
    writer.width = 120
    text = StringIO()
    writer.dump(data, text)
    return text.getvalue()
