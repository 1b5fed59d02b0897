"""What recipes are hashed from: the specification and hashes of recipes, and of a table of sources.

``python -m tests.unit.recipe.source_specs FOLDER`` writes the golden file from every recipe of a checkout. It was run
on the code of 0.1.0, before a source format became a class. Run it again only where a hash changes on purpose, e.g.
after the version of an operator was raised.
"""

from __future__ import annotations

import ast
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from winnowry.core.errors import WinnowryError
from winnowry.recipe.fingerprint import data_hash
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe, Source
from winnowry.stages.graph import stage_named

GOLDEN = Path(__file__).parent / "golden" / "source_specs.json"
STAGES = ("landing", "raw", "cleaned", "duplicates", "fit", "scored", "sampled", "comparison", "published")
SOURCES: dict[str, dict[str, Any]] = {
    "no format": {},
    "jsonl": {"format": "jsonl"},
    "jsonl, encoding": {"format": "jsonl", "encoding": "GB18030"},
    "jsonl, profile": {"format": "jsonl", "profile": "tc609"},
    "jsonl, every option": {"format": "jsonl", "encoding": "utf-8", "profile": "tc609", "members": "*.jsonl"},
    "jsonl, options that are null": {"format": "jsonl", "encoding": None, "statuses": None, "members": None},
    "jsonl, delimiter of csv": {"format": "jsonl", "delimiter": ";"},
    "parquet": {"format": "parquet"},
    "parquet in tar": {"format": "parquet", "members": "*.parquet"},
    "csv": {"format": "csv"},
    "csv, default delimiter": {"format": "csv", "delimiter": ","},
    "csv, every option": {"format": "csv", "delimiter": "\t", "encoding": "shift_jis", "members": "a/*.tsv"},
    "text": {"format": "text", "encoding": "koi8-r"},
    "html": {"format": "html"},
    "html, every option": {"format": "html", "encoding": "windows-1251", "members": "*.html"},
    "warc": {"format": "warc"},
    "warc, statuses": {"format": "warc", "statuses": [200]},
    "warc, every option": {
        "format": "warc",
        "statuses": [203, 200],
        "content_types": ["text/plain", "Application/JSON"],
        "record_types": ["metadata"],
        "members": "*.warc",
    },
    "sgml": {"format": "sgml", "record_element": "REUTERS"},
    "xml, every option": {"format": "xml", "record_element": "page", "encoding": "utf-16", "members": "*.xml"},
    "files": {"format": "files"},
    "files, copied": {"format": "files", "payload": "copied", "members": "*.png"},
    "files, referenced": {"format": "files", "payload": "referenced"},
}

GATED = """\
version: 1
corpus: gated
sources:
  - {name: news, uri: "landing/*.jsonl", fields: {event_time: at}}
columns:
  - {name: n_words, sql: "length(text)"}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
gates:
  raw: {min_rows: 2}
  published:
    valid2: {as_of: 2026-06-30, thresholds: {fresh_share: null}, annotation: {column: a, reference: b}, fresh_days: 9}
"""
"""Every model whose later options are left out where they are not set; the others are in recipes of the checkout."""


def source_of(options: dict[str, Any]) -> dict[str, Any]:
    """A source as a recipe file declares it."""
    return {"name": "one", "uri": "landing/*", "partition": {"by": "path", "part": -1}, **options}


def source_spec(options: dict[str, Any]) -> str:
    """The specification of a source, and of what was set in it, as JSON in the order of its fields."""
    source = Source(**source_of(options))
    written = source.model_dump(mode="json", by_alias=True)
    return json.dumps([written, source.model_dump(mode="json", by_alias=True, exclude_unset=True)])


def recipe_spec(text: str) -> dict[str, Any]:
    """The specification of the sources of a recipe, its hash, and the hashes of its stages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        recipe = load_recipe(path)
    return spec_of(recipe)


def spec_of(recipe: Recipe) -> dict[str, Any]:
    """As :func:`recipe_spec`, of a recipe that is read already."""
    written = recipe.model_dump(mode="json", by_alias=True)
    return {
        "sources": json.dumps(written["sources"]),
        "data_hash": data_hash(recipe),
        "stages": {stage: stage_named(stage).hash(recipe) for stage in STAGES},
    }


def recipes_below(checkout: Path) -> dict[str, str]:
    """Every recipe of a checkout that stands alone: its files, and the texts in its tests."""
    texts = {"gated": GATED}
    for folder in ("recipes", "examples"):
        for path in sorted((checkout / folder).rglob("*.yaml")):
            texts[path.relative_to(checkout).as_posix()] = path.read_text(encoding="utf-8")
    for path in sorted((checkout / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("version: 1\n"):
                texts[f"{path.relative_to(checkout).as_posix()}:{node.lineno}"] = node.value
    return texts


def main(checkout: Path) -> None:
    """Write the golden file."""
    recipes = {}
    for name, text in recipes_below(checkout).items():
        try:
            recipes[name] = {"text": text, **recipe_spec(text)}
        except WinnowryError as error:
            print(f"{name}: left out: {str(error).splitlines()[0]}")
    golden = {"sources": {name: source_spec(options) for name, options in SOURCES.items()}, "recipes": recipes}
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
