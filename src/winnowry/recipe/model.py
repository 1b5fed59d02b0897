"""The recipe: what a user declares about a corpus. The same models are the YAML and the Python form."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

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
from winnowry.sources.registry import formats


class Fields(GrowingPart):
    """Which field of a record means what; all others are kept in ``raw.meta`` as JSON."""

    id: str | None = Field(default=None, description="field that identifies the record; else its file and line do")
    text: str = Field(default="text", description="field with the text or HTML")
    event_time: str | None = Field(
        default=None,
        description="field with the event time (ISO 8601 or Unix seconds); of warc `date`, the time of the fetch",
    )
    event_time_format: str | None = Field(
        default=None,
        description="how the event time is written, where it is neither: `datetime.strptime` codes, e.g. "
        "`%d-%b-%Y %H:%M:%S.%f`",
    )
    license: str | None = Field(default=None, description="field with the record's licence; else the source's")

    _LATER: ClassVar[frozenset[str]] = frozenset({"event_time_format"})


class Partition(RecipePart):
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
    partition: Partition = Field(default_factory=Partition, description="how records are cut into partitions")
    # An option of csv that stays here: version 1 writes it for sources of every format, and hashes depend on that.
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator, for csv")
    members: str | None = Field(
        default=None,
        min_length=1,
        description="for tar and zip archives: glob of the files inside to read, e.g. `*.sgm`; `*` matches `/` too",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({"members"})

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


class Limits(RecipePart):
    """Bounds on a run."""

    max_record_bytes: int = Field(default=64 << 20, ge=1, description="longer records are quarantined, in bytes")
    max_error_fraction: float = Field(default=0.01, ge=0, le=1, description="rows that may crash an operator, 0 to 1")
    batch_rows: int = Field(default=1024, ge=1, description="rows held at once while reading")


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

    _LATER: ClassVar[frozenset[str]] = frozenset({"comparison", "columns"})

    @property
    def kind(self) -> Kind:
        """What its records are; the sources of a corpus agree on it."""
        return kind_named(self.sources[0].options.record_kind)

    @property
    def leaves_raw(self) -> bool:
        """Whether records go on from ``raw``: texts always do, files where the recipe cleans, scores or samples."""
        return self.kind.is_text or bool(self.clean or self.score or self.sample is not None)

    @property
    def has_releases(self) -> bool:
        """Whether records are drawn and published: texts always, files where the recipe has a sample."""
        return self.kind.is_text or self.sample is not None

    def to_yaml(self) -> str:
        """The recipe as the YAML of a file: what is set and nothing else; its hashes are those of this recipe."""
        return as_yaml(self)

    @field_validator("clean", "score", mode="before")
    @classmethod
    def _operators(cls, value: Any) -> Any:
        return tuple(read_operator(item) for item in value) if isinstance(value, list | tuple) else value
