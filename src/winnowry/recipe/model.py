"""The recipe: what a user declares about a corpus. The same models are the YAML and the Python form."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from winnowry.core.partition_keys import wrong_key
from winnowry.operators.base import Operator
from winnowry.operators.carried import CARRY, CarriedFields
from winnowry.operators.media.operator import MediaDerivation
from winnowry.recipe.as_yaml import as_yaml
from winnowry.recipe.base import GrowingPart, RecipePart
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.comparison import Comparison
from winnowry.recipe.formats import known_format, option_values, read_format
from winnowry.recipe.gates import Gates
from winnowry.recipe.operators import AnyOperator, read_operator
from winnowry.recipe.place import Place
from winnowry.records.kinds import Kind, kind_named
from winnowry.sampling.spec import SampleSpec
from winnowry.sources.base import SourceFormat
from winnowry.sources.event_time import range_end, range_start, why_no_layout
from winnowry.sources.registry import formats

MAX_RETRACTED_FRACTION = 0.5
"""What ``limits.max_retracted_fraction`` is where a recipe says nothing."""


class Fields(GrowingPart):
    """Which field of a record means what; all others are kept in ``raw.meta`` as JSON.

    A name with dots leads through nested fields (``doc.text``); a field that is itself called so comes first. An id is
    taken as it is written, white space included, and a whole number is its digits: ``12`` and ``"12"`` are one id. A
    number with a point, true, a list and an empty text are none. Of a list of licences all are taken, joined by commas.

    Event times are read in these forms, and refused in every other (``bad_event_time``):

    - ISO 8601: ``2019-05-01T12:00:00+02:00``, ``2019-05-01``, ``2019-05``, ``2019-W18-3``, ``2019-121``, also without
      dashes and colons; without a zone it is UTC; ``24:00`` is the next midnight, a leap second the instant after it.
    - Dates and date-times of Parquet.
    - A number, or a text of digits, by how many digits it has: 4 a year, 6 ``YYYYMM``, 8 ``YYYYMMDD``, 9 Unix seconds,
      10 ``YYYYMMDDHH`` or Unix seconds, 12 ``YYYYMMDDHHMM``, 14 ``YYYYMMDDHHMMSS``. A point with zeros behind it does
      not count (``2019.0``). With another fraction it is Unix seconds of 9 or 10 digits. 0 and what has a minus sign is
      Unix seconds.
    - Six digits that are a date with a two-digit year too (``200105``) are refused.
    - Ten digits are the one of the two that lies in ``event_time_range``; they are refused where both do.
    - Unix milliseconds, microseconds and nanoseconds are read where ``event_time_format`` says so, never guessed.
    """

    id: str | None = Field(
        default=None,
        description="field that identifies the record; else the path of its file below the literal part of `uri`, and "
        "its line do: then another literal part, or another line above it, makes it a new record",
    )
    text: str = Field(default="text", description="field with the text or HTML")
    event_time: str | None = Field(
        default=None,
        description="field with the event time, in a form of those above; of warc `date`, the time of the fetch",
    )
    event_time_format: str | None = Field(
        default=None,
        description="how the event time is written, where it is none of those: `datetime.strptime` codes, e.g. "
        "`%d-%b-%Y %H:%M:%S.%f`; or `unix_s`, `unix_ms`, `unix_us`, `unix_ns`",
    )
    event_time_range: tuple[str | int | None, str | int | None] | None = Field(
        default=None,
        description="first and last year, month or day that is plausible, e.g. `[1800, 2025-06]`; others are refused. "
        "Unset: from 1900 to the end of 2026, or to a day after the object was last modified where that is later",
    )
    license: str | None = Field(default=None, description="field with the record's licence; else the source's")
    carry: tuple[str, ...] | dict[str, str] | None = Field(
        default=None,
        description="fields that become columns of `cleaned` and `published`, as text: `[url, title]`, or under "
        "another name `{source_url: doc.url}`; numbers, lists and objects as JSON, a missing field as null",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"event_time_format", "event_time_range", "carry"})

    @field_validator("event_time_format")
    @classmethod
    def _is_layout(cls, value: str | None) -> str | None:
        reason = why_no_layout(value) if value is not None else None
        if reason is not None:
            raise ValueError(f"{value!r} is no layout of an event time: {reason}")
        return value

    @field_validator("event_time_range")
    @classmethod
    def _is_range(cls, value: tuple[str | int | None, str | int | None] | None) -> tuple[str | None, str | None] | None:
        if value is None:
            return None
        first, last = (str(bound) if bound is not None else None for bound in value)
        start = range_start(first) if first is not None else None
        end = range_end(last) if last is not None else None
        if start is not None and end is not None and end <= start:
            raise ValueError(f"the last, {last}, is before the first, {first}")
        return first, last

    @property
    def carried(self) -> dict[str, str]:
        """Columns that are carried on, each with the field it comes from."""
        carry = self.carry or {}
        return dict(carry) if isinstance(carry, dict) else {name: name for name in carry}


class Partition(RecipePart):
    """How records are cut into partitions: by event time, a field's value, or a part of the path.

    ``partition: none`` puts all records into one, called `all`. Every change of a file then makes all of them anew.
    """

    by: Literal["event_time", "field", "path", "none"] = Field(default="event_time", description="what decides")
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
        for key in (self.missing, *self.keys):
            expected = wrong_key(key)
            if expected is not None:
                raise ValueError(f"{key!r} cannot be the key of a partition: expected {expected}")
        return self


OnUpdate = Literal["latest", "keep_first"]


def _or_none(schema: dict[str, Any]) -> None:
    """Let an editor accept the one word too."""
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"const": "none"}]


class Source(GrowingPart):
    """Where raw records come from; the options of its format stand beside these keys."""

    model_config = ConfigDict(extra="allow")  # what is extra is an option of the format, and judged by it

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="part of every record's identity: do not rename")
    uri: Annotated[str, Place] = Field(
        description="glob of landing objects; relative ones start at the root; `${env:NAME}` is replaced"
    )
    format: str = Field(default="jsonl", description="how to read them: a source format, of those below")
    license: str | None = Field(default=None, description="licence of the records")
    fields: Fields = Field(default_factory=Fields, description="which field means what")
    partition: Partition = Field(
        default_factory=Partition,
        description="how records are cut into partitions; `none`: not at all",
        json_schema_extra=_or_none,
    )
    # An option of csv that stays here: version 1 writes it for sources of every format, and hashes depend on that.
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator, for csv")
    members: str | None = Field(
        default=None,
        min_length=1,
        description="for tar and zip archives: glob of the files inside to read, e.g. `*.sgm`; `*` matches `/` too",
    )

    hive: bool | None = Field(
        default=None,
        description="folders of the path named `key=value` are fields of the record, as text (`%20` decoded, "
        "`__HIVE_DEFAULT_PARTITION__` null); a field of the record with another value is refused (`hive_conflict`)",
    )

    on_update: OnUpdate | None = Field(
        default=None,
        description="which of several records of one id stays: the `latest` in event time, then in order of URI and "
        "line, or the first; unset: the latest in event time, and what differs at the same time is refused",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"members", "hive", "on_update"})

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        return known_format(value)

    @model_validator(mode="after")
    def _options_fit(self, info: ValidationInfo) -> Source:
        written = self.model_extra or {}
        options = read_format(
            self.format, {**self._shared(), **written}, tuple(type(self).model_fields), strict=info.mode == "json"
        )
        reason = options.why_no_members() if self.members is not None else None
        if reason is not None:
            raise ValueError(reason)
        values = {key: value for key, value in option_values(options).items() if key not in type(self).model_fields}
        self.model_fields_set.difference_update(written.keys() - values.keys())
        written.clear()
        written.update(values)
        return self

    def _shared(self) -> dict[str, Any]:
        """Fields of the source that its format has as an option, as far as they are set."""
        names = self.model_fields_set & set(type(self).model_fields) & set(formats()[self.format].model_fields)
        return {name: getattr(self, name) for name in names}

    @property
    def options(self) -> SourceFormat:
        """The format of the objects, with its options."""
        return formats()[self.format].model_validate({**self._shared(), **(self.model_extra or {})})


class Limits(GrowingPart):
    """Bounds on a run."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, description="longer records are quarantined, in bytes")
    max_error_fraction: float = Field(default=0.01, ge=0, le=1, description="rows that may crash an operator, 0 to 1")
    batch_rows: int = Field(default=1024, ge=1, description="rows held at once while reading")
    max_retracted_fraction: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="largest share of the corpus that a run may retract because the landing no longer holds it, 0 to "
        f"1; unset: {MAX_RETRACTED_FRACTION}",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"max_retracted_fraction"})

    @property
    def retracted_fraction(self) -> float:
        """``max_retracted_fraction``, or what holds where it is unset."""
        return MAX_RETRACTED_FRACTION if self.max_retracted_fraction is None else self.max_retracted_fraction


class Publish(RecipePart):
    """The release."""

    tag: str = Field(default="prod", pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", description="tag moved to each new release")


class Recipe(GrowingPart):
    """One corpus, from raw data to a release."""

    version: Literal[1] = Field(description="format of the recipe")
    corpus: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name of the corpus: a folder below the root")
    owner: str | None = Field(default=None, description="who to ask; changes no data")
    description: str = Field(default="", description="what the corpus is; changes no data")
    sources: tuple[Source, ...] = Field(min_length=1, description="where raw records come from")
    clean: tuple[AnyOperator, ...] = Field(default=(), description="cleaning operators, in order")
    score: tuple[AnyOperator, ...] = Field(default=(), description="scoring operators, in order")
    sample: SampleSpec | None = Field(default=None, description="how records are selected")
    comparison: Comparison | None = Field(default=None, description="how the selection is proven against others")
    gates: Gates = Field(default_factory=Gates, description="parameters of the gates, by stage")
    publish: Publish = Field(default_factory=Publish, description="the release")
    columns: tuple[AddedColumn, ...] | None = Field(
        default=None, description="columns added to living tables, each an asset of its own, in order"
    )
    limits: Limits = Field(default_factory=Limits, description="bounds on a run")
    keep_gone: bool | None = Field(
        default=None,
        description="whether records stay whose landing objects are gone, for a landing that a rule empties; else "
        "they are retracted",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"comparison", "columns", "keep_gone"})

    @cached_property
    def file(self) -> Path | None:
        """The file that it was read from; None for one made in Python. No part of what it says."""
        return None

    def from_file(self, file: Path | None) -> Recipe:
        """The same recipe, which knows its file."""
        copied = self.model_copy()
        copied.__dict__["file"] = file
        return copied

    @property
    def kind(self) -> Kind:
        """What its records are; the sources of a corpus agree on it."""
        return kind_named(self.sources[0].options.record_kind)

    @property
    def has_text_beside(self) -> bool:
        """Whether its records are bytes that may have a text beside them, such as pictures with captions."""
        return not self.kind.has_text and any(source.options.carries_text for source in self.sources)

    @property
    def has_spans(self) -> bool:
        """Whether its records may be parts of their bytes, such as rows of a manifest of speech."""
        return any(source.options.carries_span for source in self.sources)

    @property
    def cuts_media(self) -> bool:
        """Whether its records are cut out of others, whose bytes stay in ``raw``."""
        return any(isinstance(operator, MediaDerivation) for operator in self.clean)

    @property
    def cleaning(self) -> tuple[Operator, ...]:
        """The operators of ``cleaned``, in order: that of carried fields, where there are any, and those of `clean`."""
        carried = {source.name: source.fields.carried for source in self.sources if source.fields.carried}
        return (*((CarriedFields(op=CARRY, fields=carried),) if carried else ()), *self.clean)

    @property
    def leaves_raw(self) -> bool:
        """Whether records go on from ``raw``: texts always do, files where the recipe cleans, scores or samples."""
        return self.kind.has_text or bool(self.clean or self.score or self.sample is not None)

    @property
    def has_releases(self) -> bool:
        """Whether records are drawn and published: texts always, files where the recipe has a sample."""
        return self.kind.has_text or self.sample is not None

    def to_yaml(self) -> str:
        """The recipe as the YAML of a file: what is set and nothing else; its hashes are those of this recipe."""
        return as_yaml(self)

    @field_validator("clean", "score", mode="before")
    @classmethod
    def _operators(cls, value: Any) -> Any:
        return tuple(read_operator(item) for item in value) if isinstance(value, list | tuple) else value
