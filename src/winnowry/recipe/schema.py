"""The recipe's JSON Schema, for editors, and its reference page; both are generated from the models.

``python -m winnowry.recipe.schema`` writes ``recipes/recipe.schema.json`` and ``docs/reference/recipe.md``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from winnowry.operators.registry import operators
from winnowry.recipe import comparison, gates, model
from winnowry.recipe.accepted import Accepted
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.valid2 import Annotation, KeyedFacts, Valid2Gate
from winnowry.sampling.spec import SampleSpec
from winnowry.sources.base import SourceFormat
from winnowry.sources.registry import formats

_PAGES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Recipe", model.Recipe),
    ("sources", model.Source),
    ("sources.fields", model.Fields),
    ("sources.partition", model.Partition),
    ("sample", SampleSpec),
    ("comparison", comparison.Comparison),
    ("comparison.target", comparison.TextSet),
    ("comparison.evaluations", comparison.TextSet),
    ("comparison.questions", comparison.Questions),
    ("comparison.holdout", comparison.Holdout),
    ("comparison.proxy", comparison.NgramProxy),
    ("comparison.proxy, kind: transformer", comparison.TransformerProxy),
    ("gates.raw", gates.RawGate),
    ("gates.cleaned", gates.CleanedGate),
    ("gates.scored", gates.ScoredGate),
    ("gates.sampled", gates.SampledGate),
    ("gates.comparison", gates.ComparisonGate),
    ("gates.accept", Accepted),
    ("gates.published", gates.PublishedGate),
    ("gates.published.valid2", Valid2Gate),
    ("gates.published.valid2.annotation", Annotation),
    ("gates.published.valid2.facts", KeyedFacts),
    ("publish", model.Publish),
    ("columns", AddedColumn),
    ("limits", model.Limits),
)


def built_in_operators() -> dict[str, type[BaseModel]]:
    """The operators of this package, without those of entry points or tests."""
    return {name: cls for name, cls in operators().items() if cls.__module__.startswith("winnowry.")}


def built_in_formats() -> dict[str, type[SourceFormat]]:
    """The source formats of this package, without those of entry points or tests."""
    return {name: cls for name, cls in formats().items() if cls.__module__.startswith("winnowry.")}


def recipe_json_schema(*, installed: bool = False) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a recipe.

    Args:
        installed: with the operators and source formats of other packages that are installed here; else the built-in
            ones only, so that the schema is the same everywhere.
    """
    schema = model.Recipe.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    _put_formats(schema, formats() if installed else built_in_formats())
    choices = []
    for name, cls in (operators() if installed else built_in_operators()).items():
        own = cls.model_json_schema(by_alias=True)
        definitions.update(own.pop("$defs", {}))
        own["required"] = sorted({*own.get("required", []), "op"})
        definitions[name] = own
        choices.append({"$ref": f"#/$defs/{name}"})
    definitions.pop("Operator", None)
    for stage in ("clean", "score"):
        schema["properties"][stage]["items"] = {"oneOf": choices}
    column = definitions["AddedColumn"]["properties"]["operator"]
    column["anyOf"] = [{"oneOf": choices}, {"type": "null"}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _put_formats(schema: dict[str, Any], choices: Mapping[str, type[SourceFormat]]) -> None:
    """A source for each format, with its options beside the keys that every source has."""
    definitions = schema["$defs"]
    common = definitions.pop("Source")
    for name, cls in choices.items():
        own = cls.model_json_schema(by_alias=True)
        definitions.update(own.pop("$defs", {}))
        properties = {**common["properties"], **own.get("properties", {})}
        properties["format"] = {**common["properties"]["format"], "const": name}
        required = {*common["required"], *own.get("required", [])}
        if name != common["properties"]["format"]["default"]:
            del properties["format"]["default"]
            required.add("format")
        definitions[f"source.{name}"] = {
            **common,
            "title": f"Source, format {name}",
            "description": own["description"],
            "properties": properties,
            "required": sorted(required),
            "additionalProperties": False,
        }
    schema["properties"]["sources"]["items"] = {"oneOf": [{"$ref": f"#/$defs/source.{name}"} for name in choices]}


def schema_text() -> str:
    """Content of ``recipes/recipe.schema.json``."""
    return json.dumps(recipe_json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def reference_page() -> str:
    """Content of ``docs/reference/recipe.md``."""
    lines = ["# Recipe reference", "", "Generated by `python -m winnowry.recipe.schema`; do not edit.", ""]
    for title, cls in _PAGES:
        lines += _section(title if title == "Recipe" else f"`{title}`", cls)
        if cls is model.Partition:  # the last part of a source
            for name, format_class in built_in_formats().items():
                lines += _section(f"`sources`, `format: {name}`", format_class)
    for name, operator in built_in_operators().items():
        lines += _section(f"`{name}`", operator)
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, cls: type[BaseModel]) -> list[str]:
    text = inspect.cleandoc(cls.__doc__ or "").split(">>>")[0].rstrip().replace("``", "`")
    if not cls.model_fields:
        return [f"## {title}", "", text, ""]
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in cls.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|").replace("\n", " ")
        rows.append(f"| `{field.alias or name}` | {_default(field)} | {meaning} |")
    return [f"## {title}", "", text, "", *rows, ""]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)  # type: ignore[call-arg, unused-ignore]
    if isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "unset"
    return f"`{json.dumps(value, default=str, ensure_ascii=False)}`"


def main() -> None:
    """Write both files below the current directory."""
    for file, text in (("recipes/recipe.schema.json", schema_text()), ("docs/reference/recipe.md", reference_page())):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
