"""Banks of rubrics: every criterion is a record, whatever file it comes from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar, Literal, NamedTuple

from pydantic import Field

from winnowry.core.errors import UsageError
from winnowry.records.rubrics import Criterion, Rubric, rubric_of
from winnowry.records.turns import json_text
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.mapping import serialized
from winnowry.sources.text import whole_object

Profile = Literal["rubric", "verifiers", "writingbench", "biggen", "healthbench"]
_OPERATOR = "source.rubrics"
_WHOLE_FILES = ("rubric", "verifiers")
_HALVES = ("1-2", "3-4", "5-6", "7-8", "9-10")


class _Scoped(NamedTuple):
    """A rubric as data, and what it judges."""

    data: dict[str, Any]
    scope: str
    scope_ref: str | None


class Rubrics(SourceFormat):
    """Reads rubrics; a rubric with a mistake is one unreadable place that names all of them.

    * ``rubric``: a YAML or JSON file as ``rubric.reward`` takes it (``bank``).
    * ``verifiers``: a TOML or JSON file of the package verifiers: ``criteria`` with ``name``, ``text``, ``weight`` and
      ``choices``, worst first.
    * ``writingbench``: JSON Lines with ``checklist``: five criteria a request, five tiers each.
    * ``biggen``: JSON Lines with ``score_rubric``: one criterion an instance, five tiers.
    * ``healthbench``: JSON Lines with ``rubrics``: criteria with signed ``points``.

    Positions count the criteria of an object.
    """

    name: ClassVar[str] = "rubrics"
    payload_kind: ClassVar[Literal["text", "blob", "structured"]] = "structured"
    opens_zip: ClassVar[bool] = True

    profile: Profile = Field(default="rubric", description="whose files they are, see above")
    origin: Literal["human", "llm", "hybrid"] | None = Field(
        default=None, description="who wrote the criteria, where the file does not say"
    )
    author_model: str | None = Field(default=None, description="the model that wrote them, where the file does not say")

    @property
    def record_kind(self) -> str:
        """Criteria, which are counted."""
        return "criterion"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_rubric`` (its value names every mistake), ``over_long_record``, and those of
        :class:`~winnowry.sources.jsonl.JsonLines`.
        """
        position = 0
        for item in self._rubrics(stream, uri, limits):
            if isinstance(item, Unreadable):
                yield item
                position += 1
                continue
            try:
                rubric = rubric_of(self._completed(item.data), "rubric")
            except UsageError as error:
                yield unreadable(position, _OPERATOR, "bad_rubric", serialized(item.data), str(error))
                position += 1
                continue
            for criterion in rubric.criteria:
                yield _record(position, rubric, criterion, item)
                position += 1

    def _completed(self, data: dict[str, Any]) -> dict[str, Any]:
        """The rubric with what the recipe says of its criteria."""
        more = {name: value for name in ("origin", "author_model") if (value := getattr(self, name)) is not None}
        criteria = data.get("criteria")
        if not more or not isinstance(criteria, list):
            return data
        return data | {"criteria": [more | item if isinstance(item, dict) else item for item in criteria]}

    def _rubrics(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[_Scoped | Unreadable]:
        if self.profile in _WHOLE_FILES:
            chunks = text_chunks(stream, None, limits, any_text=True)
            body, refusal = whole_object(chunks, limits, _OPERATOR)
            if refusal is not None:
                yield replace(refusal, position=0, ends_object=True)
                return
            assert body is not None
            try:
                yield _Scoped(_of_file(body, self.profile, uri), "dataset", None)
            except (UsageError, ValueError, RecursionError) as error:
                yield unreadable(0, _OPERATOR, "bad_rubric", body[:4096], str(error), ends_object=True)
            return
        for row in JsonLines().with_text_field(_LISTS[self.profile]).read(stream, uri, limits):
            if isinstance(row, Unreadable):
                yield row
                continue
            try:
                yield _ROWS[self.profile](row.data)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
                expected = f"a row of {self.profile}"
                yield unreadable(row.position, _OPERATOR, "bad_rubric", serialized(row.data), what, expected)


def _record(position: int, rubric: Rubric, criterion: Criterion, item: _Scoped) -> Record:
    own = [pair.model_dump() for pair in rubric.interactions if pair.a == criterion.criterion_id]
    same = ("criterion_id", "program", "weight", "points", "veto", "veto_below", "origin", "author_model",
            "author_prompt_sha256", "reviewed_by")  # fmt: skip
    columns = {
        **{name: getattr(criterion, name) for name in same},
        "rubric_id": rubric.rubric_id,
        "rubric_version": rubric.version,
        "scope": item.scope,
        "scope_ref": item.scope_ref,
        "params": json_text(criterion.params) if criterion.params else None,
        "tiers": None if criterion.program is not None else [tier.model_dump() for tier in criterion.tiers],
        "family": criterion.family or None,
        "interactions": json_text(own) if own else None,
        "n_criteria": 1,
        "group": rubric.rubric_id,
    }
    text = criterion.text or f"{criterion.program} {json_text(criterion.params)}"
    data = {"license": criterion.license} if criterion.license else {}
    key = f"{rubric.rubric_id}/{criterion.criterion_id}"
    return Record(position, {**data, "id": key}, key=key, columns=columns, text=text)


def _of_file(body: bytes, profile: Profile, uri: str) -> dict[str, Any]:
    """A rubric of a whole file.

    Raises:
        ValueError: it is none.
    """
    text = body.decode("utf-8-sig")
    name = uri.rpartition("/")[2].partition(".")[0]
    if profile == "rubric":
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            data = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise ValueError(f"neither YAML nor JSON: {' '.join(str(error).split())}") from None
        if not isinstance(data, dict):
            raise ValueError(f"expected a rubric with `rubric_id` and `criteria`, got {type(data).__name__}")
        return data
    data = tomllib.loads(text) if uri.endswith(".toml") else _json_or_toml(text)
    items = data["criteria"] if isinstance(data, dict) and "criteria" in data else data
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("expected a list `criteria` of tables")
    return {"rubric_id": name, "criteria": [_of_verifiers(item) for item in items]}


def _json_or_toml(text: str) -> Any:
    """What a file without a telling name holds."""
    try:
        return json.loads(text)
    except ValueError:
        return tomllib.loads(text)


def _of_verifiers(item: Mapping[str, Any]) -> dict[str, Any]:
    """Choices rise evenly from 0 to 1."""
    known = {"criterion_id": item.get("name"), "text": item.get("text", ""), "weight": item.get("weight", 1.0)}
    choices = item.get("choices", ["no", "yes"])
    tiers = [{"label": choice, "score": float(rank)} for rank, choice in enumerate(choices)]
    unknown = {key: value for key, value in item.items() if key not in ("name", "text", "weight", "choices")}
    return {**known, "tiers": tiers, **unknown}


def _of_writingbench(row: Mapping[str, Any]) -> _Scoped:
    name = f"writingbench-{row['index']}"
    criteria = [
        {
            "criterion_id": item["name"],
            "text": item["criteria_description"],
            "tiers": [
                {"label": half, "score": 1.5 + 2 * rank, "text": item[half]} for rank, half in enumerate(_HALVES)
            ],
            "family": str(row.get("domain1") or ""),
        }
        for item in row["checklist"]
    ]
    return _Scoped({"rubric_id": name, "criteria": criteria}, "instance", str(row["index"]))


def _of_biggen(row: Mapping[str, Any]) -> _Scoped:
    rubric = row["score_rubric"]
    tiers = [{"label": str(n), "score": float(n), "text": rubric[f"score{n}_description"]} for n in range(1, 6)]
    criterion = {
        "criterion_id": "score",
        "text": rubric["criteria"],
        "tiers": tiers,
        "family": str(row.get("capability") or ""),
    }
    return _Scoped({"rubric_id": f"biggen-{row['id']}", "criteria": [criterion]}, "instance", str(row["id"]))


def _of_healthbench(row: Mapping[str, Any]) -> _Scoped:
    criteria = [
        {
            "criterion_id": f"{number}",
            "text": item["criterion"],
            "points": float(item["points"]),
            "family": next(
                (tag.removeprefix("axis:") for tag in item.get("tags") or () if tag.startswith("axis:")), ""
            ),
        }
        for number, item in enumerate(row["rubrics"])
    ]
    name = str(row["prompt_id"])
    return _Scoped({"rubric_id": f"healthbench-{name}", "criteria": criteria}, "instance", name)


_LISTS = {"writingbench": "checklist", "biggen": "score_rubric", "healthbench": "rubrics"}
"""Where a row has its criteria."""
_ROWS = {"writingbench": _of_writingbench, "biggen": _of_biggen, "healthbench": _of_healthbench}
