"""The recipe: what a user declares about a corpus. The same models are the YAML and the Python form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from winnowry.recipe.base import GrowingPart, RecipePart
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.comparison import Comparison
from winnowry.recipe.gates import Gates
from winnowry.recipe.operators import AnyOperator, read_operator
from winnowry.recipe.place import Place
from winnowry.sampling.spec import SampleSpec
from winnowry.sources.transcode import codec_name


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


_FORMAT_OPTIONS: dict[str, tuple[str, ...]] = {
    "encoding": ("jsonl", "csv", "text", "html", "sgml", "xml"),
    "record_element": ("sgml", "xml"),
    "record_types": ("warc",),
    "content_types": ("warc",),
    "statuses": ("warc",),
    "profile": ("jsonl",),
    "payload": ("files",),
}


class Source(GrowingPart):
    """Where raw records come from."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="part of every record's identity: do not rename")
    uri: Place = Field(
        description="glob of landing objects; relative ones start at the root; `${env:NAME}` is replaced"
    )
    format: Literal["jsonl", "parquet", "csv", "text", "html", "warc", "sgml", "xml", "files"] = Field(
        default="jsonl",
        description="how to read them; warc also reads ARC, WET and WAT; files takes each object as it is: images, "
        "audio, video",
    )
    license: str | None = Field(default=None, description="licence of the records")
    fields: Fields = Field(default_factory=Fields, description="which field means what")
    partition: Partition = Field(default_factory=Partition, description="how records are cut into partitions")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator, for csv")
    members: str | None = Field(
        default=None,
        min_length=1,
        description="for tar archives: glob of the files inside to read, e.g. `*.sgm`; `*` matches `/` too",
    )
    encoding: str | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; UTF-8 unless set, for html the declared or "
        "detected one, for sgml and xml the declared one",
    )
    record_element: str | None = Field(
        default=None, min_length=1, description="for sgml and xml: the element that is a record, e.g. `page`"
    )
    record_types: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="for warc: types of records that are documents; response, resource and conversion unless set; "
        "WAT needs metadata",
    )
    content_types: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="for warc: media types to read, the others are quarantined; text/html, application/xhtml+xml and "
        "text/plain unless set; WAT needs application/json",
    )
    payload: Literal["copied", "referenced"] | None = Field(
        default=None,
        description="for files: whether the lake holds the bytes (copied, unless set) or where they lie (referenced), "
        "which then must neither move nor change",
    )
    statuses: tuple[int, ...] | None = Field(
        default=None,
        min_length=1,
        description="for warc: HTTP status codes to read, the others are quarantined; 200 unless set",
    )

    profile: Literal["tc609"] | None = Field(
        default=None,
        description="for jsonl: `tc609` reads records of SAC/TC609, whose text lies in `data_content`; the date is in "
        "`original_time`",
    )

    _LATER: ClassVar[frozenset[str]] = frozenset({*_FORMAT_OPTIONS, "members"})

    @model_validator(mode="after")
    def _options_fit(self) -> Source:
        for option, formats in _FORMAT_OPTIONS.items():
            if getattr(self, option) is not None and self.format not in formats:
                raise ValueError(f"`{option}` is for {' and '.join(formats)}; the format is {self.format}")
        if self.format in ("sgml", "xml") and self.record_element is None:
            raise ValueError(f"`format: {self.format}` needs `record_element`, the element that is a record")
        if self.encoding is not None and codec_name(self.encoding) is None:
            raise ValueError(f"`encoding: {self.encoding}` is unknown; e.g. utf-8, windows-1252 or gb18030")
        if self.payload == "referenced" and self.members is not None:
            raise ValueError("`payload: referenced` is for objects that lie there; files inside archives are copied")
        return self


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
    def media(self) -> bool:
        """Whether records are files that are no text: the corpus then ends at ``raw``, and columns of it."""
        return all(source.format == "files" for source in self.sources)

    @field_validator("clean", "score", mode="before")
    @classmethod
    def _operators(cls, value: Any) -> Any:
        return tuple(read_operator(item) for item in value) if isinstance(value, list | tuple) else value
