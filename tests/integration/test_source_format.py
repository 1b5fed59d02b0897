"""A source format of somebody else: one class and no other edit, from its entry point to rows of ``raw``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from tests.walk import open_recipe, run_all
from winnowry.core.errors import RecipeError, UsageError
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Source
from winnowry.recipe.schema import recipe_json_schema, schema_text
from winnowry.sources import registry
from winnowry.sources.jsonl import JsonLines
from winnowry.stages.graph import stage_named

MODULE = '''
"""Lines of key=value, with a blank line between records."""

from typing import ClassVar

from pydantic import Field
from winnowry.sources.base import Record, SourceFormat, unreadable


class Pairs(SourceFormat):
    """Reads paragraphs of ``key=value`` lines."""

    name: ClassVar[str] = "pairs"
    sign: str = Field(default="=", min_length=1, description="what stands between key and value")
    comments: tuple[str, ...] | None = Field(default=None, description="lines that begin so are passed over")

    def read(self, stream, uri, limits):
        for position, paragraph in enumerate(stream.read().decode().split("\\n\\n")):
            lines = [line for line in paragraph.splitlines() if not line.startswith(self.comments or ())]
            if all(self.sign in line for line in lines):
                yield Record(position, dict(line.split(self.sign, 1) for line in lines))
            else:
                yield unreadable(position, "source.pairs", "bad_pair", paragraph.encode())
'''
RECIPE = """\
version: 1
corpus: paired
sources:
  - {name: notes, uri: "landing/*.txt", format: pairs, sign: ":", comments: ["#"],
     fields: {id: id, text: body}, partition: {by: field, field: day}}
"""
NOTES = "id:1\nday:mon\nbody:one\n\n# no record\nid:2\nday:tue\nbody:two: 2\n\nid 3"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with the format, as an installer leaves it."""
    site = tmp_path / "site"
    (site / "pairs-1.0.dist-info").mkdir(parents=True)
    (site / "pairs-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pairs\nVersion: 1.0\n")
    (site / "pairs-1.0.dist-info/entry_points.txt").write_text("[winnowry.sources]\npairs = pairs_format:Pairs\n")
    (site / "pairs_format.py").write_text(MODULE)
    monkeypatch.syspath_prepend(site)
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()
    sys.modules.pop("pairs_format", None)


def recipe_file(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "paired.yaml"
    path.write_text(RECIPE.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.usefixtures("installed")
def test_a_format_of_an_installed_package_is_read_into_raw(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/notes.txt").write_text(NOTES)
    ws, recipe = open_recipe(tmp_path, recipe_file(tmp_path))
    run_all(ws, recipe, to="raw")

    rows = ws.lake.open("paired", "raw").to_table(columns=["partition", "payload", "meta"]).to_pylist()
    assert sorted((row["partition"], row["payload"], json.loads(row["meta"])) for row in rows) == [
        ("mon", "one", {"day": "mon", "id": "1"}),
        ("tue", "two: 2", {"day": "tue", "id": "2"}),
    ]
    [lost] = ws.lake.open("paired", "quarantine").to_table(columns=["operator", "reason", "payload"]).to_pylist()
    assert lost == {"operator": "source.pairs", "reason": "bad_pair", "payload": b"id 3"}


@pytest.mark.usefixtures("installed")
def test_its_options_are_hashed_where_they_are_set(tmp_path: Path) -> None:
    whole = load_recipe(recipe_file(tmp_path))
    without = load_recipe(recipe_file(tmp_path, ', comments: ["#"]', ""))
    assert whole.model_dump(mode="json")["sources"][0]["comments"] == ["#"]
    assert "comments" not in without.model_dump(mode="json")["sources"][0]
    landing = stage_named("landing")
    assert landing.hash(whole) != landing.hash(without)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("format: pairs", "format: pair", "paired.yaml:4:49: sources.0.format: expected one of 'amc', "),
        ("format: pairs", "format: pair", "; got 'pair'; did you mean 'pairs'?"),
        ("sign:", "sing:", "sources.0.sing: unknown field 'sing'; did you mean 'sign'?"),
        ('sign: ":"', "sign: 3", "sources.0.sign: expected text; got 3"),
        ("format: pairs", "format: jsonl", "sources.0.sign: `sign` is for pairs; the format is jsonl"),
        ('sign: ":"', "statuses: [200]", "sources.0.statuses: `statuses` is for warc; the format is pairs"),
    ],
)
def test_a_mistake_in_a_source_of_it_is_reported_as_any_other(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file(tmp_path, old, new))
    assert expected in str(caught.value)


@pytest.mark.usefixtures("installed")
def test_it_is_in_the_schema_of_what_is_installed_and_not_in_the_generated_file(tmp_path: Path) -> None:
    schema = recipe_json_schema(installed=True)
    recipe = YAML(typ="safe").load(recipe_file(tmp_path))
    jsonschema.validate(recipe, schema)
    recipe["sources"][0]["sing"] = ";"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(recipe, schema)
    assert "source.pairs" not in schema_text()


class Shouted(JsonLines):
    """JSON Lines under another name."""

    name = "shouted"


def test_a_format_can_be_registered_for_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    with pytest.raises(ValidationError, match="got 'shouted'"):
        Source(name="a", uri="x", format="shouted")
    registry.register(Shouted)
    assert isinstance(Source(name="a", uri="x", format="shouted", encoding="gb18030").options, Shouted)
    registry.register(Shouted)  # again is no mistake

    class Other(JsonLines):
        name = "shouted"

    with pytest.raises(UsageError, match="two source formats are named 'shouted'"):
        registry.register(Other)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [("pairs_format:MISSING", "is no source format"), ("pairs_format:Pairs", "two source formats are named 'jsonl'")],
)
@pytest.mark.usefixtures("installed")
def test_an_entry_point_that_leads_to_no_new_format_is_named(tmp_path: Path, entry: str, expected: str) -> None:
    (tmp_path / "site/pairs_format.py").write_text(MODULE.replace('"pairs"', '"jsonl"') + "\n\nMISSING = 1\n")
    (tmp_path / "site/pairs-1.0.dist-info/entry_points.txt").write_text(f"[winnowry.sources]\npairs = {entry}\n")
    with pytest.raises(UsageError, match=expected):
        registry.formats()
