"""Indicators that need the text: measured on a sample by record id, in one pass, with intervals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.sql import identifier
from winnowry.evidence.valid2.indicators import (
    EXAMPLES,
    Example,
    Measured,
    Setting,
    drawn,
    id_bound,
    unmeasured,
    wilson,
)
from winnowry.evidence.valid2.variety import of_words
from winnowry.evidence.valid2.whole import Counts, Indicators
from winnowry.operators.scoring.function_words import FUNCTION_WORDS
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import IndicatorName, Valid2Gate

Numbers = npt.NDArray[np.float64]

_BATCH_ROWS = 32
_LOOKED_AT = 100_000  # characters of a text that are looked at
_TOGETHER = 4096  # characters of a text that are compressed with the others
_SHORTEST = 200  # bytes from which a text's compression says something
_LINE = 12  # characters from which a line can be boilerplate
_SHARED = 3  # different texts that have a line
_ENGLISH = ("en", "eng")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
# What C4 drops a line for (Raffel et al. 2020, section 2.2; the wording of TFDS and datatrove).
_POLICY = re.compile(
    r"terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies", re.IGNORECASE
)
# Full stops and their like in the scripts that have them; closing quotes and brackets, as in C4: a text that is cut
# seldom ends with one. Markup may follow.
_TERMINAL = frozenset(
    ".!?\u2026\u3002\uff01\uff1f\uff0e\u061f\u06d4\u0964\u0965\u1362\u104b\u17d4\u203d"
    "\"'\u201d\u2019\u00bb\u203a)]}\uff09\u300d\u300f\u3011\u300b\u3009"
)
_MARKUP = "*_`|> \t\n"
_TEXT: tuple[IndicatorName, ...] = (
    "text_present", "truncated_share", "compression_ratio", "vendi_score", "boilerplate_share", "bytes_per_token",
    "content_word_share", "numbers_per_100_tokens", "zstd_ratio", "zstd_typical",
)  # fmt: skip
_FUNCTION = frozenset(FUNCTION_WORDS)


@dataclass
class _Sample:
    """What is kept of the texts that were read: numbers a text, hashes of lines, and beginnings."""

    ids: list[str] = field(default_factory=list)
    blank: list[bool] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    octets: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    content: list[int] = field(default_factory=list)
    english: list[bool] = field(default_factory=list)
    zstd: list[float] = field(default_factory=list)
    policy: list[int] = field(default_factory=list)
    lines: list[list[tuple[int, int]]] = field(default_factory=list)
    repeated: list[bool] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    def array(self, name: str) -> Numbers:
        """A measure as an array."""
        return np.asarray(getattr(self, name), np.float64)


def ends_well(text: str) -> bool:
    r"""Whether a text ends as a finished one does: a full stop or its like, a closing quote or bracket, then markup.

    >>> ends_well("It stops."), ends_well("**Stop!**\n"), ends_well("It sto"), ends_well("\u5b8c\u4e86\u3002")
    (True, True, False, True)
    """
    return text[-64:].rstrip(_MARKUP)[-1:] in _TERMINAL


def text_indicators(session: Session, gate: Valid2Gate, setting: Setting, totals: Counts) -> Indicators:
    """Measure a sample of the texts, and the columns that other operators wrote about them."""
    result = _columns(session)
    if not session.tables.has("published", "text"):
        return result | {name: unmeasured("the release has no column `text`") for name in _TEXT}
    bound = id_bound(session.tables.views["published"], gate.sample_records, totals.rows)
    sample = _read(session, bound)
    if not sample.ids:
        return result | {name: unmeasured("no text was drawn") for name in _TEXT}
    part = bound is not None
    languages = session.tables.has("published", "language")
    integrity = _integrity(sample, part)
    if not setting.kind.has_text:
        integrity["truncated_share"] = unmeasured("captions and transcripts need no full stop")
    return result | integrity | _density(sample, gate, totals, part, languages) | _together(sample)


def _read(session: Session, bound: str | None) -> _Sample:
    import zstandard

    view = session.tables.views["published"]
    beside = [name for name in ("n_tokens", "language") if session.tables.has("published", name)]
    pressed = zstandard.ZstdCompressor(level=3)
    sample = _Sample()
    seen: set[int] = set()
    for batch in drawn(view, bound, ["record_id", "text", *beside], _BATCH_ROWS):
        texts = batch.column("text").cast(pa.large_binary()).to_pylist()
        tokens = batch.column("n_tokens").to_pylist() if "n_tokens" in beside else [0] * len(texts)
        languages = batch.column("language").to_pylist() if "language" in beside else [None] * len(texts)
        sample.ids += batch.column("record_id").to_pylist()
        sample.tokens += [count or 0 for count in tokens]
        sample.english += [language in _ENGLISH for language in languages]
        for octets in texts:
            octets = octets or b""
            text = octets.decode("utf-8", "replace")
            begun = text[:_LOOKED_AT]
            words = _WORD.findall(begun)
            sample.blank.append(not text.strip())
            sample.ended.append(ends_well(text))
            sample.last.append(text.rstrip()[-1:])
            sample.octets.append(len(octets))
            # Of a text that is cut, the count is brought up to its length: tokens are those of all of it.
            whole = max(len(text) / _LOOKED_AT, 1.0)
            sample.numbers.append(round(len(_NUMBER.findall(begun)) * whole))
            sample.words.append(len(words))
            sample.content.append(sum(word.lower().replace("\u2019", "'") not in _FUNCTION for word in words))
            long = len(octets) >= _SHORTEST
            sample.zstd.append(len(octets) / len(pressed.compress(octets)) if long else float("nan"))
            lines = [line for raw in begun.split("\n") if (line := raw.strip())]
            sample.policy.append(sum(len(line) for line in lines if _POLICY.search(line)))
            sample.lines.append([(hash(line), len(line)) for line in lines if not _POLICY.search(line)])
            sample.repeated.append((whole_hash := hash(text)) in seen)
            seen.add(whole_hash)
            sample.begun.append(text[:_TOGETHER])
    return sample


def _integrity(sample: _Sample, part: bool) -> Indicators:
    blank, ended = sample.array("blank") > 0, sample.array("ended") > 0
    n = len(sample.ids)
    full = int((~blank).sum())
    cut = ~blank & ~ended
    return {
        "text_present": Measured(
            full / n, "", n, wilson(full, n) if part else None,
            examples=_worst(sample, blank.astype(np.float64), lambda i: "blank"),
        ),
        "truncated_share": Measured(
            int(cut.sum()) / full, "", full, wilson(int(cut.sum()), full) if part else None,
            examples=_worst(sample, cut.astype(np.float64), lambda i: f"ends with {sample.last[i]!r}"),
        ) if full else unmeasured("every text is blank"),
    }  # fmt: skip


def _density(sample: _Sample, gate: Valid2Gate, totals: Counts, part: bool, languages: bool) -> Indicators:
    n = len(sample.ids)
    tokens, octets = sample.array("tokens"), sample.array("octets")
    result: Indicators = {}
    counted = float(tokens.sum())
    if totals.tokens is None or not counted:
        why = "the release has no column `n_tokens`" if totals.tokens is None else "the sampled texts have no tokens"
        result["bytes_per_token"] = result["numbers_per_100_tokens"] = unmeasured(why)
    else:
        result["bytes_per_token"] = Measured(float(octets.sum()) / counted, "", n)
        result["numbers_per_100_tokens"] = Measured(100 * float(sample.array("numbers").sum()) / counted, "", n)
    result["content_word_share"] = _content_words(sample, languages)
    result |= _compression(sample, gate, part)
    result["boilerplate_share"] = _boilerplate(sample)
    return result


def _content_words(sample: _Sample, languages: bool) -> Measured:
    if not languages:
        return unmeasured("the release has no column `language`, and the list of function words is English")
    english = sample.array("english") > 0
    words = float(sample.array("words")[english].sum())
    if not words:
        return unmeasured("no English word was drawn")
    return Measured(float(sample.array("content")[english].sum()) / words, "", int(english.sum()))


def _compression(sample: _Sample, gate: Valid2Gate, part: bool) -> Indicators:
    ratios = sample.array("zstd")
    usable = np.isfinite(ratios)
    n = int(usable.sum())
    if not n:
        why = f"no sampled text has {_SHORTEST} bytes"
        return {"zstd_ratio": unmeasured(why), "zstd_typical": unmeasured(why)}
    result: Indicators = {"zstd_ratio": Measured(float(np.median(ratios[usable])), "", n, note="zstd, level 3")}
    if gate.zstd_range is None:
        result["zstd_typical"] = unmeasured("the recipe gives no `zstd_range` of a reference set")
        return result
    low, high = gate.zstd_range
    inside = usable & (ratios >= low) & (ratios <= high)
    off = np.where(usable & ~inside, np.maximum(low - ratios, ratios - high), 0.0)
    hits = int(inside.sum())
    result["zstd_typical"] = Measured(
        hits / n, "", n, wilson(hits, n) if part else None, f"reference {low:g} to {high:g}",
        _worst(sample, off, lambda i: f"{ratios[i]:.2f}"),
    )  # fmt: skip
    return result


def _boilerplate(sample: _Sample) -> Measured:
    """Lines that at least three different texts of the sample have, and lines about terms, privacy and cookies."""
    having: Counter[int] = Counter()
    for lines, repeated in zip(sample.lines, sample.repeated, strict=True):
        if not repeated:  # copies of a text are no boilerplate; they count as duplicates
            having.update({line for line, length in lines if length >= _LINE})
    shared = np.array([
        policy + sum(length for line, length in lines if having[line] >= _SHARED)
        for lines, policy in zip(sample.lines, sample.policy, strict=True)
    ], np.float64)  # fmt: skip
    whole = np.array([
        policy + sum(length for _, length in lines)
        for lines, policy in zip(sample.lines, sample.policy, strict=True)
    ], np.float64)  # fmt: skip
    if not whole.sum():
        return unmeasured("every text is blank")
    each = shared / np.maximum(whole, 1)
    return Measured(
        float(shared.sum() / whole.sum()), "", len(sample.ids), note=f"lines that {_SHARED} sampled texts share",
        examples=_worst(sample, each, lambda i: f"{each[i]:.0%} of its characters"),
    )  # fmt: skip


def _together(sample: _Sample) -> Indicators:
    """How alike the beginnings of the sampled texts are: compressed together (Shaib et al. 2024), by their words."""
    import zstandard

    pressed = zstandard.ZstdCompressor(level=9).compressobj()
    before = after = 0
    for place in sorted(range(len(sample.ids)), key=sample.ids.__getitem__):  # not the order in which they lie
        octets = sample.begun[place].encode("utf-8", "replace") + b"\n"
        before += len(octets)
        after += len(pressed.compress(octets))
    after += len(pressed.flush())
    note = f"the first {_TOGETHER:,} characters of each, zstd, level 9"
    return {
        "compression_ratio": Measured(before / after, "", len(sample.ids), note=note),
        "vendi_score": of_words(sample.ids, sample.begun),
    }


def _worst(
    sample: _Sample, badness: Numbers, describe: Callable[[int], str], *, all_of_them: bool = False
) -> Callable[[], list[Example]]:
    """The worst records, equal ones by id."""

    def examples() -> list[Example]:
        order = sorted(range(len(sample.ids)), key=lambda i: (-badness[i], sample.ids[i]))
        chosen = [i for i in order[:EXAMPLES] if all_of_them or badness[i] > 0]
        return [{"record_id": sample.ids[i], "value": describe(i)} for i in chosen]

    return examples


def _columns(session: Session) -> Indicators:
    """Means of columns that operators wrote, over all records that have a usable value."""
    names = [
        field.name
        for field in session.tables.views["published"].schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    flesch = (name for name in names if "flesch" in name and "kincaid" not in name and "grade" not in name)
    bits = (name for name in names if name == "bits_per_byte" or name.endswith("_bits_per_byte"))
    wanted: tuple[tuple[IndicatorName, str], ...] = (
        ("bits_per_byte", next(bits, "bits_per_byte")),
        ("knowledge_density", "knowledge_density"),
        ("reading_ease", next(flesch, "readability_flesch")),
    )
    result: Indicators = {}
    for name, column in wanted:
        if column not in names:
            result[name] = unmeasured(f"no operator of the recipe writes `{column}`")
            continue
        value = f"{identifier(column)}::DOUBLE"
        row = session.one(
            f"SELECT COUNT(*) FILTER (WHERE isfinite({value})) AS n, "
            f"AVG({value}) FILTER (WHERE isfinite({value})) AS mean FROM published"
        )
        result[name] = Measured(row["mean"], f"column {column} has no usable value", row["n"], note=f"column {column}")
    return result
