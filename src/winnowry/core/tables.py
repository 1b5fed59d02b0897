"""Arrow schemas of the tables: the contract between stages.

Fixed columns are listed here; columns that operators write are added to ``cleaned``, ``scored`` and ``published``
from the recipe.
"""

from __future__ import annotations

import pyarrow as pa

TEXT = pa.large_string()
TIMESTAMP = pa.timestamp("us", tz="UTC")
SHARED_TABLES = ("quarantine", "gates")
"""Tables that all stages write to."""

UNPARTITIONED = "__unpartitioned__"
"""The partition of records whose partition cannot be told: unreadable lines, missing or bad event times."""

_IDENTITY = [
    pa.field("record_id", pa.string(), nullable=False),
    pa.field("partition", pa.string(), nullable=False),
]
_PROMOTION = pa.field("promotion_id", pa.string(), nullable=False)

LANDING = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("modified_at", TIMESTAMP),
        pa.field("partitions", pa.list_(pa.struct([("partition", pa.string()), ("n_records", pa.int64())]))),
        pa.field("n_records", pa.int64(), nullable=False),
        pa.field("left_out", pa.int64()),
        pa.field("unread", pa.string()),
        pa.field("unread_bytes", pa.int64()),
        pa.field("object_sha256", pa.string()),
        _PROMOTION,
    ]
)
"""A landing object.

Its records are in ``partitions``, or in quarantine; ``left_out`` counts those of the latter that read well and are not
what the options of the source choose, null in rows written before it existed.
``unread`` says why it was not read as a whole: ``operator: rule`` of what ended it, or of what most of its records were
refused for where none could be taken. ``unread_bytes`` counts what was not read, as stored; 0 where the object ends too
early. Both are null where it was read as a whole, and in rows written before they existed.
``object_sha256`` is of the object as stored: one with another ``etag``, and the same size and digest, is the same. It
is null in rows written before it existed, and for objects of a store whose tags tell contents that were not read in
order.
"""

RAW = pa.schema(
    [
        *_IDENTITY,
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("event_time", TIMESTAMP),
        pa.field("ingested_at", TIMESTAMP, nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("payload", TEXT),
        pa.field("meta", TEXT),
        pa.field("license", pa.string()),
        _PROMOTION,
    ]
)

REASON = pa.struct(
    [("operator", pa.string()), ("rule", pa.string()), ("value", pa.string()), ("threshold", pa.string())]
)

QUARANTINE = pa.schema(
    [
        *_IDENTITY,
        pa.field("stage", pa.string(), nullable=False),
        pa.field("operator", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("value", pa.string()),
        pa.field("threshold", pa.string()),
        pa.field("reasons", pa.list_(REASON)),
        pa.field("columns", TEXT),
        pa.field("uri", pa.string()),
        pa.field("position", pa.int64()),
        pa.field("payload", pa.large_binary()),
        pa.field("parent_ids", pa.list_(pa.string())),
        _PROMOTION,
    ]
)
"""A rejected record. ``parent_ids`` is null unless an operator made the record of others, and in rows older than it."""

CLEANED = pa.schema(
    [
        *_IDENTITY,
        pa.field("parent_ids", pa.list_(pa.string())),
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_time", TIMESTAMP),
        pa.field("license", pa.string()),
        pa.field("text", TEXT),
        pa.field("size", pa.int64()),
    ]
)

CLEANED_BLOBS = pa.schema(
    [
        *_IDENTITY,
        pa.field("parent_ids", pa.list_(pa.string())),
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_time", TIMESTAMP),
        pa.field("license", pa.string()),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("size", pa.int64()),
    ]
)
"""``cleaned`` of files: the bytes stay in ``raw``; ``size`` counts them."""

DUPLICATES = pa.schema(
    [
        *_IDENTITY,
        pa.field("kept_record_id", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("twin_record_id", pa.string()),
        pa.field("steps", pa.int32()),
        pa.field("group_size", pa.int64()),
        _PROMOTION,
    ]
)
"""A record that another stands for: ``kept_record_id``, the keeper of its group.

The record matches its *twin* directly, by ``method`` and with this ``similarity``; twins lead to the keeper in
``steps`` direct matches (1: the twin is the keeper). ``group_size`` counts the group's records with the keeper. The
last three are null in rows written before they existed.
"""

SCORED = pa.schema([*_IDENTITY, pa.field("n_tokens", pa.int64(), nullable=False)])

SAMPLED = pa.schema(
    [
        *_IDENTITY,
        pa.field("stratum", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("draw", pa.float64(), nullable=False),
        pa.field("selected", pa.bool_(), nullable=False),
        pa.field("n_tokens", pa.int64(), nullable=False),
        _PROMOTION,
    ]
)

COMPARISON = pa.schema(
    [
        pa.field("measurement_id", pa.string(), nullable=False),
        pa.field("experiment", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("token_fraction", pa.float64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("evaluation", pa.string(), nullable=False),
        pa.field("bits_per_byte", pa.float64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("mean_document_tokens", pa.float64(), nullable=False),
        pa.field("distinct_trigram_fraction", pa.float64(), nullable=False),
        pa.field("selection_seconds", pa.float64(), nullable=False),
        pa.field("training_seconds", pa.float64(), nullable=False),
        pa.field("proxy", pa.string(), nullable=False),
        pa.field("accuracy", pa.float64()),
        _PROMOTION,
    ]
)
"""One proxy, trained on one selection, evaluated on one set; lower ``bits_per_byte`` is better.

``experiment`` is ``arms``, ``dose`` or ``attribution``; ``role`` is ``candidate``, ``reference``,
``positive_control`` or ``negative_control``. ``measurement_id`` is experiment, arm, fraction, seed and evaluation,
joined by ``/``. Seconds are CPU seconds. ``accuracy``, 0 to 1, is null for sets that are no questions.
"""

GATES = pa.schema(
    [
        pa.field("promotion_id", pa.string(), nullable=False),
        pa.field("table", pa.string(), nullable=False),
        pa.field("version", pa.uint64(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("suite", pa.string(), nullable=False),
        pa.field("expectation", pa.string(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("parameters", pa.string(), nullable=False),
        pa.field("observed", pa.string()),
        pa.field("observed_number", pa.float64()),
        pa.field("unexpected_count", pa.int64()),
        pa.field("samples", pa.string()),
        pa.field("severity", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("message", pa.string()),
        pa.field("judged_at", TIMESTAMP, nullable=False),
    ]
)

JUDGEMENTS = pa.schema(
    [
        pa.field("request_key", pa.string(), nullable=False),
        pa.field("call_id", pa.string(), nullable=False),
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("prompt_id", pa.string()),
        pa.field("rubric_id", pa.string()),
        pa.field("rubric_hash", pa.string()),
        pa.field("criterion_id", pa.string(), nullable=False),
        pa.field("criterion_hash", pa.string(), nullable=False),
        pa.field("judge", pa.string(), nullable=False),
        pa.field("judge_hash", pa.string(), nullable=False),
        pa.field("served_model", pa.string()),
        pa.field("repeat", pa.int32(), nullable=False),
        pa.field("order", pa.string(), nullable=False),
        pa.field("tier", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("rationale", TEXT),
        pa.field("error", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("raw", TEXT),
        pa.field("n_calls", pa.int32(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("cached_tokens", pa.int64(), nullable=False),
        pa.field("completion_tokens", pa.int64(), nullable=False),
        pa.field("cost_usd", pa.float64(), nullable=False),
        pa.field("cost_estimated", pa.bool_(), nullable=False),
        pa.field("unsettled_usd", pa.float64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("judged_at", TIMESTAMP, nullable=False),
    ]
)
"""One criterion of one answer, as a judge has judged it; rows are only added.

Of the rows of a ``request_key`` the first one without an ``error`` counts, where there is none the last one. ``tier``
is what was answered, ``score`` (0 to 1) what the rubric of that time made of it; both are null where there is an
``error``, and ``raw`` is what came back. ``judge_hash`` has in it the model that the endpoint says it has served.
``call_id`` is of what was asked together: tokens, calls and cost are shared by its rows, so that they can be summed.
``cost_estimated``: the endpoint did not say what it used. ``unsettled_usd`` is what calls may have cost that no reply
has come back of; ``error`` is ``open`` while a batch is out, and this its price at most.
"""


def with_operator_columns(fixed: pa.Schema, written: list[pa.Field]) -> pa.Schema:
    """Add operator columns to a stage's fixed columns; a column of the same name is replaced in place.

    ``promotion_id`` always comes last, because every row carries it.
    """
    fields = {field.name: field for field in fixed if field.name != "promotion_id"}
    for field in written:
        fields[field.name] = field
    return pa.schema([*fields.values(), _PROMOTION])
