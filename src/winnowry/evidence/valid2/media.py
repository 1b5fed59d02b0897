"""Indicators of pictures, sound and films: size, how different they look, what each family of quality says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from winnowry.core.sql import identifier
from winnowry.evidence.valid2.indicators import Measured, Setting, drawn, id_bound, unmeasured
from winnowry.evidence.valid2.variety import vendi_score
from winnowry.evidence.valid2.whole import Counts, Indicators, examples_of
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import IndicatorName, Valid2Gate
from winnowry.stages.graph import PUBLISHED

_HASH, _HASH_BITS = "phash", 64
_COMPARED = 1000
_BATCH_ROWS = 1024

# Share of the records that have the column and are beyond a limit, with the limit's source.
_SHARES: dict[IndicatorName, tuple[tuple[str, ...], str, str]] = {
    # MATLAB calls a PIQE above 50 poor.
    "distorted_share": (("piqe",), "piqe > 50", "`piqe` above 50"),
    # What audio.measure refuses by default.
    "clipped_share": (("clip_ratio",), "clip_ratio > 0.001", "`clip_ratio` above 0.001"),
    # What dedup.image takes for the same picture by default.
    "unstable_share": (
        ("flipped_bits_jpeg", "flipped_bits_half"),
        "GREATEST(flipped_bits_jpeg, flipped_bits_half) > 7",
        "more than 7 of 64 bits of the hash flip",
    ),
    # What telephones transmit at 16 kHz.
    "narrow_share": (("bandwidth_hz",), "bandwidth_hz < 7000", "`bandwidth_hz` below 7000"),
}


def media_indicators(session: Session, gate: Valid2Gate, setting: Setting, totals: Counts) -> Indicators:
    """Measure what operators on media wrote; of texts nothing."""
    return {
        "size": _size(session, setting, totals),
        "word_error_rate": _word_errors(session),
        **{name: _share(session, *wanted) for name, wanted in _SHARES.items()},
        **_looks(session, totals),
    }


def _size(session: Session, setting: Setting, totals: Counts) -> Measured:
    kind = setting.kind
    if kind.in_tokens:
        return unmeasured("texts are counted in `tokens`")
    if not _has(session, kind.size_column):
        return unmeasured(f"the release has no column `{kind.size_column}`")
    total = session.one(f"SELECT SUM({kind.size_in_sql()})::DOUBLE AS n FROM published")["n"]
    return Measured(total, f"column {kind.size_column} is empty", totals.rows, note=kind.unit)


def _share(session: Session, columns: tuple[str, ...], beyond: str, note: str) -> Measured:
    absent = [name for name in columns if not _has(session, name)]
    if absent:
        return unmeasured(f"no operator of the recipe writes `{absent[0]}`")
    known = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in columns)
    row = session.one(
        f"SELECT COUNT(*) FILTER (WHERE {known}) AS n, COUNT(*) FILTER (WHERE {known} AND {beyond}) AS beyond "
        "FROM published"
    )
    shown = " || ' and ' || ".join(f"round({identifier(name)}, 3)::VARCHAR" for name in columns)
    return Measured(
        row["beyond"] / row["n"] if row["n"] else None, f"column {columns[0]} is empty", row["n"], note=note,
        examples=lambda: examples_of(session, shown, f"{known} AND {beyond}"),
    )  # fmt: skip


def _word_errors(session: Session) -> Measured:
    if not (_has(session, "word_errors") and _has(session, "reference_words")):
        return unmeasured("no operator of the recipe writes `word_errors`: it has no column of a recogniser")
    row = session.one(
        "SELECT COUNT(word_errors) AS n, SUM(word_errors)::DOUBLE AS errors, SUM(reference_words)::DOUBLE AS words "
        "FROM published WHERE word_errors IS NOT NULL AND reference_words IS NOT NULL"
    )
    value = row["errors"] / row["words"] if row["words"] else None
    worst = "word_errors > 0"
    return Measured(
        value, "no record has both transcripts", row["n"], note="errors of all records over their reference words",
        examples=lambda: examples_of(
            session, "word_errors || ' of ' || reference_words", worst, "word_errors DESC, record_id"
        ),
    )  # fmt: skip


def _looks(session: Session, totals: Counts) -> Indicators:
    """The Vendi score of perceptual hashes, whose cosine falls by 1/32 with every bit; nothing without hashes."""
    if not _has(session, _HASH, pa.types.is_string):
        return {}
    view = session.tables.views[PUBLISHED]
    rows: list[tuple[str, str]] = []
    for batch in drawn(view, id_bound(view, _COMPARED, totals.rows), ["record_id", _HASH], _BATCH_ROWS):
        pairs = zip(batch.column("record_id").to_pylist(), batch.column(_HASH).to_pylist(), strict=True)
        rows += [(record, value) for record, value in pairs if value is not None]
    hashes = [bytes.fromhex(value) for _, value in sorted(rows)[:_COMPARED]]
    if not hashes:
        return {"vendi_score": unmeasured(f"`{_HASH}` is empty in what was drawn")}
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1), axis=1)
    vectors = (2.0 * bits - 1) / np.sqrt(_HASH_BITS)
    note = f"of {len(hashes):,} pictures; cosines of perceptual hashes"
    return {"vendi_score": Measured(vendi_score(vectors), "", len(hashes), note=note)}


def _has(session: Session, column: str, *kinds: Callable[[pa.DataType], bool]) -> bool:
    """Whether the release has a column of numbers, or of one of some types: added columns may be of any."""
    if not session.tables.has(PUBLISHED, column):
        return False
    kind = session.tables.views[PUBLISHED].schema.field(column).type
    return any(is_one(kind) for is_one in kinds or (pa.types.is_integer, pa.types.is_floating))
