"""``text.decontaminate``: find what was copied from evaluation sets."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import ContractError
from winnowry.operators.buffers import TEXT, column, utf8_buffers
from winnowry.operators.dedup.evaluation_sets import EvaluationSet
from winnowry.operators.text.heuristic import Heuristic, Limits

_KINDS = ("ngram", "answer")


class _Index(NamedTuple):
    sizes: npt.NDArray[np.int64]
    slots: npt.NDArray[np.uint64]
    held: npt.NDArray[np.int32]
    bits: npt.NDArray[np.uint8]


class Decontaminate(Heuristic):
    """Find the longest stretch of a text that is also in an evaluation set, and reject the text for it.

    Both sides are folded (lower case, no diacritics, punctuation and symbols as white space; numbers stay) and cut into
    words at white space; in scripts without it (Han, Kana, Thai, Lao, Khmer, Myanmar, Tibetan) every character is a
    word. A text of an evaluation set betrays itself by any ``ngram`` of its words in a row, one of fewer words by all
    of them if it has at least ``min_words``. Answers, in the fields named for them, are matched only as a whole, up to
    their first ``ngram`` words. One stretch may consist of many overlapping runs of words of one set.

    Writes, for each text (null for a null text):

    * ``contamination_matches`` (int64): positions at which a run of words of any set begins.
    * ``contamination_set`` (string): name of the set that the longest stretch is from; null when nothing matches.
    * ``contamination_kind`` (string): ``ngram`` or ``answer``; null when nothing matches.
    * ``contamination_start`` and ``contamination_end`` (int64): the stretch as half-open span of characters (code
      points); null when nothing matches.

    With ``as`` the columns begin with it in place of ``contamination``. What the sets contain is part of the
    fingerprint: a changed file makes partitions stale.

    A file that is missing when the recipe is loaded is a mistake of the recipe; one that is replaced afterwards, or
    differs on a worker, stops the run with a ``ContractError``.

    Source: GPT-3 (Brown et al. 2020, appendix C): 13-grams, and shorter texts down to 8 words.
    """

    COST = "costly"

    PREFIX: ClassVar[str] = "contamination"
    LIMITS: ClassVar[Limits] = (("max_matches", "matches", "<="),)
    NULL: ClassVar[Literal["reject", "keep"]] = "keep"

    op: Literal["text.decontaminate"] = "text.decontaminate"
    sets: tuple[EvaluationSet, ...] = Field(default=(), description="Evaluation sets to look for.")
    ngram: int = Field(
        default=13, ge=2, le=100, description="Words of a run. Source: GPT-3 (Brown et al. 2020, appendix C): 13."
    )
    min_words: int = Field(
        default=8,
        ge=1,
        description="Texts of evaluation sets with fewer words are not looked for, in words. "
        "Source: GPT-3 (Brown et al. 2020, appendix C): 8.",
    )
    min_answer_words: int = Field(
        default=4,
        ge=1,
        description="Answers with fewer words are not looked for, in words: `yes` and `42` are everywhere. "
        "Source: choice of this project.",
    )
    max_matches: int | None = Field(
        default=0,
        ge=0,
        description="Most matching positions to keep a record; null keeps all and only records them. "
        "Source: GPT-3 (Brown et al. 2020, appendix C): 0.",
    )
    contents: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of each set's file, by its name: those not given are computed when the recipe is loaded; "
        "a file with another one stops the run.",
    )

    @model_validator(mode="after")
    def _read_contents(self) -> Self:
        names = [evaluation_set.name for evaluation_set in self.sets]
        if len(set(names)) < len(names):
            raise ValueError(f"evaluation sets need names of their own; got: {', '.join(names)}")
        unknown = sorted(set(self.contents) - set(names))
        if unknown:
            raise ValueError(f"`contents` names no evaluation set by {', '.join(map(repr, unknown))}")
        # A specification that was stored holds all of them, and is still one when the files have changed or gone.
        contents = {
            evaluation_set.name: self.contents.get(evaluation_set.name) or evaluation_set.content_sha256()
            for evaluation_set in self.sets
        }
        self.__dict__["contents"] = contents  # the model is frozen from here on
        return self

    @model_validator(mode="after")
    def _runs_of_words(self) -> Self:
        if self.min_words > self.ngram or self.min_answer_words > self.ngram:
            raise ValueError("`min_words` and `min_answer_words` must not exceed `ngram`")
        return self

    def writes(self) -> pa.Schema:
        """Matches, set, kind, start and end."""
        types = {"matches": pa.int64(), "set": pa.string(), "kind": pa.string(), "start": pa.int64(), "end": pa.int64()}
        return pa.schema([pa.field(self._name(name), type_) for name, type_ in types.items()])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Search n texts."""
        from winnowry.operators.dedup.kernels.overlap import find_overlap
        from winnowry.operators.dedup.kernels.words import fold_table

        index = _index(self)
        text = utf8_buffers(batch.column("text"))
        matches, held, start, end = find_overlap(
            text.offsets, text.data, text.valid, fold_table(), index.sizes, index.slots, index.held, index.bits
        )
        names = np.array([evaluation_set.name for evaluation_set in self.sets] + [None], dtype=object)
        kinds = np.array([*_KINDS, None], dtype=object)
        matched = held >= 0
        return pa.record_batch(
            [
                column(matches, text.valid),
                pa.array(names[np.where(matched, held // len(_KINDS), len(self.sets))], pa.string()),
                pa.array(kinds[np.where(matched, held % len(_KINDS), len(_KINDS))], pa.string()),
                column(start, matched),
                column(end, matched),
            ],
            schema=self.writes(),
        )


@lru_cache(maxsize=4)
def _load(sets: tuple[EvaluationSet, ...], contents: tuple[str, ...], ngram: int, fewest: int, answer: int) -> _Index:
    from winnowry.operators.dedup.kernels.overlap import make_filter, make_table, reference_runs
    from winnowry.operators.dedup.kernels.words import fold_table

    texts: list[str] = []
    tags: list[int] = []
    for number, evaluation_set in enumerate(sets):
        if evaluation_set.content_sha256() != contents[number]:
            raise ContractError(
                f"evaluation set {evaluation_set.name!r}: {evaluation_set.path} is not the file of the recipe "
                f"(SHA-256 {evaluation_set.content_sha256()}, expected {contents[number]}). Load the recipe "
                "again (in Dagster: reload the code location), or bring this machine's copy up to date."
            )
        for is_answer, text in evaluation_set.texts():
            texts.append(text)
            tags.append(len(_KINDS) * number + is_answer)
    tag = np.array(tags, dtype=np.int64)
    is_answer_of = tag % len(_KINDS) == 1
    reference = utf8_buffers(pa.array(texts, TEXT))
    keys, sizes, of = reference_runs(
        reference.offsets,
        reference.data,
        fold_table(),
        np.where(is_answer_of, answer, fewest),
        np.full(len(texts), ngram),
        is_answer_of,
    )
    slots, held = make_table(keys, tag[of].astype(np.int32))
    return _Index(np.unique(sizes)[::-1].copy(), slots, held, make_filter(keys))


def _index(operator: Decontaminate) -> _Index:
    contents = tuple(operator.contents[evaluation_set.name] for evaluation_set in operator.sets)
    try:
        return _load(operator.sets, contents, operator.ngram, operator.min_words, operator.min_answer_words)
    except (OSError, ValueError) as error:  # of the sets, not of a text: no row is to blame
        raise ContractError(f"{operator.op}: {error}") from error
