"""The recipe: what a user declares about a corpus. The same models are the YAML and the Python form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from winnowry.operators.base import Operator
from winnowry.operators.sampling.spec import SampleSpec
from winnowry.recipe.gates import Gates
from winnowry.recipe.place import Place


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fields(_Model):
    """Which field of a record means what; all others are kept in ``raw.meta`` as JSON."""

    id: str | None = Field(default=None, description="field that identifies the record; else its file and line do")
    text: str = Field(default="text", description="field with the text or HTML")
    event_time: str | None = Field(default=None, description="field with the event time (ISO 8601 or Unix seconds)")
    license: str | None = Field(default=None, description="field with the record's licence; else the source's")


class Partition(_Model):
    """How records are cut into partitions: by event time, a field's value, or a part of the path."""

    by: Literal["event_time", "field", "path"] = Field(default="event_time", description="what decides")
    every: Literal["year", "month", "day"] = Field(default="day", description="length of a partition in event time")
    field: str | None = Field(default=None, description="the field, for `by: field`")
    part: int | None = Field(default=None, description="index into the path split at `/`, for `by: path`")
    missing: str = Field(default="quarantine", description="`quarantine`, or the partition of records that have none")
    keys: tuple[str, ...] = Field(default=(), description="all partitions, where they are known beforehand")

    @model_validator(mode="after")
    def _complete(self) -> Partition:
        if self.by == "field" and self.field is None:
            raise ValueError("`by: field` needs `field`")
        if self.by == "path" and self.part is None:
            raise ValueError("`by: path` needs `part`")
        return self


class Source(_Model):
    """Where raw records come from."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="part of every record's identity: do not rename")
    uri: Place = Field(
        description="glob of landing objects; relative ones start at the root; `${env:NAME}` is replaced"
    )
    format: Literal["jsonl", "parquet", "csv", "text"] = Field(default="jsonl", description="how to read them")
    license: str | None = Field(default=None, description="licence of the records")
    fields: Fields = Field(default_factory=Fields, description="which field means what")
    partition: Partition = Field(default_factory=Partition, description="how records are cut into partitions")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator, for csv")


class Limits(_Model):
    """Bounds on a run."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, description="longer records are quarantined, in bytes")
    max_error_fraction: float = Field(default=0.01, ge=0, le=1, description="rows that may crash an operator, 0 to 1")
    batch_rows: int = Field(default=1024, ge=1, description="rows held at once while reading")


class Publish(_Model):
    """The release."""

    tag: str = Field(default="prod", pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", description="tag moved to each new release")


def _operator(value: Any) -> Operator:
    from difflib import get_close_matches

    from winnowry.operators.registry import operators

    if isinstance(value, Operator):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("op"), str):
        raise ValueError("an operator is a mapping with `op`")
    known = operators()
    cls = known.get(value["op"])
    if cls is None:
        near = get_close_matches(value["op"], known, n=1)
        raise ValueError(f"unknown op {value['op']!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return cls.model_validate(value)


AnyOperator = Annotated[SerializeAsAny[Operator], Field()]


class Recipe(_Model):
    """One corpus, from raw data to a release."""

    version: Literal[1] = Field(description="format of the recipe")
    corpus: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name of the corpus: a folder below the root")
    owner: str | None = Field(default=None, description="who to ask; changes no data")
    description: str = Field(default="", description="what the corpus is; changes no data")
    sources: tuple[Source, ...] = Field(min_length=1, description="where raw records come from")
    clean: tuple[AnyOperator, ...] = Field(default=(), description="cleaning operators, in order")
    score: tuple[AnyOperator, ...] = Field(default=(), description="scoring operators, in order")
    sample: SampleSpec | None = Field(default=None, description="how records are selected")
    gates: Gates = Field(default_factory=Gates, description="parameters of the gates, by stage")
    publish: Publish = Field(default_factory=Publish, description="the release")
    limits: Limits = Field(default_factory=Limits, description="bounds on a run")

    @field_validator("clean", "score", mode="before")
    @classmethod
    def _operators(cls, value: Any) -> Any:
        return tuple(_operator(item) for item in value) if isinstance(value, list | tuple) else value
