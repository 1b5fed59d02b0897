"""What is compared over: keepers with their tokens, scores and sources, the hold-out apart, and the evaluation sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import DataError, UsageError
from winnowry.evidence.comparison.questions import QuestionFile, write_questions
from winnowry.evidence.comparison.text_sets import Question, read_questions, read_text_set
from winnowry.evidence.comparison.texts import TokenFile, batched, text_key, write_tokens
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.reading.sample_columns import sample_columns
from winnowry.recipe.comparison import Comparison, Holdout, TextSet
from winnowry.recipe.model import Recipe
from winnowry.sampling.draw import id_words, permanent_random

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
UInt64s = npt.NDArray[np.uint64]

HOLDOUT = "holdout"
_NEWEST = 0.1
_TARGET_SEED = 17  # which half of the target trains; the same in every comparison
_FEWEST = 4  # different documents of a target


@dataclass
class Pool:
    """Documents that arms select from, and what proxies are evaluated on.

    Attributes:
        tokens: token ids of all documents drawn, the hold-out's too.
        documents: indexes into ``tokens`` of the n documents of the pool.
        words: record ids as 64-bit words, (n, 2).
        sizes: tokens of each, int64 (n,).
        sources: source of each.
        columns: the score and stratum columns of ``scored``, n values each.
        components: complexity of each text as measured; n rows.
        evaluations: evaluation sets by name.
        questions: sets of multiple-choice questions by name.
        target: the target's training half, or the hold-out's where there is no target.
        target_name: what it stands for.
        facts: how the pool was made, for the summary.
    """

    tokens: TokenFile
    documents: Int64s
    words: UInt64s
    sizes: Int64s
    sources: npt.NDArray[np.object_]
    columns: pa.Table
    components: pa.Table
    evaluations: dict[str, TokenFile]
    questions: dict[str, QuestionFile]
    target: TokenFile
    target_name: str
    facts: dict[str, Any] = field(default_factory=dict)


def complexity_operator(recipe: Recipe) -> GrammaticalComplexity:
    """The recipe's complexity score, or one without a parser where it has none."""
    for operator in recipe.score:
        if isinstance(operator, GrammaticalComplexity):
            return operator
    return GrammaticalComplexity()


def make_pool(ws: Workspace, recipe: Recipe, scratch: Path) -> Pool:
    """Read the corpus once and write what tasks need into a scratch folder.

    Args:
        ws: the lake.
        recipe: with a ``comparison``.
        scratch: local folder.

    Raises:
        UsageError: a text set cannot be read, or the hold-out cannot be identified.
        DataError: too few documents are left.
    """
    comparison = recipe.comparison
    assert comparison is not None
    beside = _Beside.read(ws, comparison, scratch)
    rows, drawn = _draw(ws, recipe, comparison)
    wanted = dict(zip(rows["record_id"].to_pylist(), range(rows.num_rows), strict=True))
    read = _Read(complexity_operator(recipe))
    tokens = write_tokens(scratch / "pool", read.texts(ws, recipe, wanted))
    place = np.array([wanted[record_id] for record_id in read.ids], np.int64)
    rows = rows.take(pa.array(place))
    held_out, how = _held_out(comparison.holdout, read.times, tokens.lengths, id_words(rows["record_id"]))
    usable = ~np.array([key in beside.keys for key in read.keys], np.bool_) & (tokens.lengths > 0)
    holdout = _first_of_each(np.flatnonzero(held_out & usable), read.keys)
    kept_apart = {read.keys[place] for place in holdout.tolist()}
    copies = np.array([key in kept_apart for key in read.keys], np.bool_) & ~held_out & usable
    candidates = np.flatnonzero(~held_out & usable & ~copies)
    if len(candidates) < 10 or len(holdout) < 2:
        raise DataError(
            f"{recipe.corpus}: {len(candidates)} documents are left to select from and {len(holdout)} held out; "
            "a comparison needs at least 10 and 2"
        )
    words = id_words(rows["record_id"])
    evaluations = dict(beside.evaluations)
    target = beside.target
    if target is None:
        half = permanent_random(words[holdout], _TARGET_SEED) < 0.5
        target = _subset(scratch / "target", tokens, holdout[half])
        holdout = holdout[~half]
    held = _capped(holdout, tokens.lengths, comparison.evaluation_tokens)
    evaluations[HOLDOUT] = _subset(scratch / HOLDOUT, tokens, held)
    facts = {
        **drawn,
        "documents": len(candidates),
        "tokens": int(tokens.lengths[candidates].sum()),
        "holdout": how,
        "removed_as_overlap": int(np.sum([key in beside.keys for key in read.keys])) + int(copies.sum()),
        "removed_from_sets": beside.removed,
        "evaluations": [
            {"name": name, "documents": len(file), "tokens": int(file.lengths.sum()), "bytes": int(file.n_bytes.sum())}
            for name, file in sorted({**evaluations, **{n: q.tokens for n, q in beside.questions.items()}}.items())
        ],
        "questions": [
            {"name": name, "questions": len(file), "chance": file.chance}
            for name, file in sorted(beside.questions.items())
        ],
    }
    chosen = pa.array(candidates)
    return Pool(
        tokens=tokens,
        documents=candidates.astype(np.int64),
        words=words[candidates],
        sizes=tokens.lengths[candidates],
        sources=np.array(read.sources, object)[candidates],
        columns=rows.take(chosen),
        components=read.components().take(chosen),
        evaluations=evaluations,
        questions=beside.questions,
        target=target,
        target_name=comparison.target.name if comparison.target is not None else HOLDOUT,
        facts=facts,
    )


@dataclass
class _TextSet:
    """A text set without repeated texts; ``keys`` are those of its documents, ``removed`` were there before."""

    tokens: TokenFile
    keys: list[bytes]
    removed: int

    @staticmethod
    def read(ws: Workspace, text_set: TextSet, path: Path) -> _TextSet:
        """Tokenise a set; what repeats a text weighs nothing new, and must not lie in two halves."""
        keys: dict[bytes, None] = {}
        n_read = 0

        def distinct() -> Iterator[str]:
            nonlocal n_read
            for text in read_text_set(ws, text_set):
                n_read += 1
                key = text_key(text)
                if key not in keys:
                    keys[key] = None
                    yield text

        tokens = write_tokens(path, batched(distinct()))
        return _TextSet(tokens, list(keys), n_read - len(keys))

    def without(self, keys: set[bytes]) -> Int64s:
        """Documents that are none of some others."""
        return np.flatnonzero([key not in keys for key in self.keys]).astype(np.int64)


@dataclass
class _Beside:
    """Text sets of the recipe, tokenised.

    Attributes:
        keys: of all their texts.
        removed: by set, documents that repeat another one of it, or one that trains the positive control.
    """

    target: TokenFile | None
    evaluations: dict[str, TokenFile]
    questions: dict[str, QuestionFile]
    keys: set[bytes]
    removed: dict[str, int]

    @staticmethod
    def read(ws: Workspace, comparison: Comparison, scratch: Path) -> _Beside:
        keys: set[bytes] = set()

        def noted_questions(questions: Iterator[Question]) -> Iterator[Question]:
            for one in questions:
                keys.update(map(text_key, (one.question, *one.documents())))
                yield one

        questions = {
            item.name: write_questions(
                scratch / f"questions-{item.name}",
                noted_questions(read_questions(ws, item)),
                comparison.evaluation_tokens,
            )
            for item in comparison.questions or ()
        }
        files: dict[str, TokenFile] = {}
        removed: dict[str, int] = {}
        target = comparison.target
        trains: TokenFile | None = None
        trained: set[bytes] = set()
        limit = comparison.evaluation_tokens
        if target is not None:
            whole = _TextSet.read(ws, target, scratch / "set-target")
            if len(whole.keys) < _FEWEST:
                repeated = f", {whole.removed} of them repeated" if whole.removed else ""
                raise UsageError(
                    f"target {target.name!r} has {len(whole.keys) + whole.removed} documents{repeated}; expected "
                    f"{_FEWEST} different ones or more: half of them train, half evaluate"
                )
            index = np.arange(len(whole.keys), dtype=np.uint64)
            half = permanent_random(np.stack([index, index], axis=1), _TARGET_SEED) < 0.5
            trains = _subset(scratch / "target", whole.tokens, np.flatnonzero(half))
            trained = {whole.keys[place] for place in np.flatnonzero(half).tolist()}
            evaluates = _capped(np.flatnonzero(~half), whole.tokens.lengths, limit)
            files[target.name] = _subset(scratch / f"{target.name}-eval", whole.tokens, evaluates)
            keys.update(whole.keys)
            removed[target.name] = whole.removed
        for text_set in comparison.evaluations:
            read = _TextSet.read(ws, text_set, scratch / f"set-{text_set.name}")
            left = read.without(trained)
            if not len(left):
                raise UsageError(
                    f"evaluation {text_set.name!r} has no document that does not train the positive control; "
                    "expected texts that are not the target's"
                )
            files[text_set.name] = _subset(
                scratch / text_set.name, read.tokens, _capped(left, read.tokens.lengths, limit)
            )
            keys.update(read.keys)
            removed[text_set.name] = read.removed + len(read.keys) - len(left)
        return _Beside(trains, files, questions, keys, removed)


def _draw(ws: Workspace, recipe: Recipe, comparison: Comparison) -> tuple[pa.Table, dict[str, Any]]:
    """The narrow columns of the documents that stand for the corpus, and how they were drawn."""
    scored = sample_columns(ws, recipe, frozenset(recipe.gates.left_out()))
    sizes = scored["n_tokens"].to_numpy().astype(np.int64)
    total = int(sizes.sum())
    if total > comparison.pool_tokens:
        order = np.argsort(permanent_random(id_words(scored["record_id"]), comparison.seed), kind="stable")
        inside = order[np.cumsum(sizes[order]) <= comparison.pool_tokens]
        scored = scored.take(pa.array(np.sort(inside)))
    return scored, {"corpus_documents": len(sizes), "corpus_tokens": total, "sampled": total > comparison.pool_tokens}


class _Read:
    """One pass over ``cleaned``: texts for the tokeniser, and the other facts about each document."""

    def __init__(self, operator: GrammaticalComplexity) -> None:
        self.operator = operator
        self.ids: list[str] = []
        self.times: list[Any] = []
        self.sources: list[str] = []
        self.keys: list[bytes] = []
        self._components: list[pa.RecordBatch] = []

    def texts(self, ws: Workspace, recipe: Recipe, wanted: dict[str, int]) -> Iterator[pa.Array]:
        names = ["record_id", "text", "event_time", "source"]
        extra = [name for name in self.operator.reads().names if name not in names]
        for batch in ws.lake.open(recipe.corpus, "cleaned").scan(columns=[*names, *extra]):
            mask = [record_id in wanted for record_id in batch.column("record_id").to_pylist()]
            if not any(mask):
                continue
            batch = batch.filter(pa.array(mask))
            self.ids += batch.column("record_id").to_pylist()
            self.times += batch.column("event_time").to_pylist()
            self.sources += batch.column("source").to_pylist()
            self.keys += [text_key(text or "") for text in batch.column("text").to_pylist()]
            self._components.append(self.operator.measure(batch.select(self.operator.reads().names)))
            yield batch.column("text")

    def components(self) -> pa.Table:
        return pa.Table.from_batches(self._components, schema=self.operator.components())


def _held_out(holdout: Holdout, times: list[Any], lengths: Int64s, words: UInt64s) -> tuple[npt.NDArray[np.bool_], str]:
    """Which documents are held out, and how that was decided."""
    known = np.array([time is not None for time in times], np.bool_)
    explicit = holdout.since is not None or holdout.newest_fraction is not None
    share = holdout.newest_fraction if holdout.newest_fraction is not None else _NEWEST
    if not known.any():
        if explicit:
            raise UsageError("`holdout` asks for the newest records, but none has an event time; leave `holdout` out")
        return permanent_random(words, _TARGET_SEED) < share, f"{share:.0%} at random: no record has an event time"
    if holdout.since is not None:
        import datetime

        since = datetime.datetime.fromisoformat(holdout.since)
        since = since if since.tzinfo is not None else since.replace(tzinfo=datetime.UTC)
        chosen = np.array([time is not None and time >= since for time in times], np.bool_)
        return chosen, f"since {holdout.since}"
    stamps = np.array([time.timestamp() if time is not None else -np.inf for time in times])
    # Of one moment all or none: the ids break no tie, or the hold-out would not be later than the pool.
    order = np.argsort(-stamps, kind="stable")
    inside = np.cumsum(lengths[order]) <= share * lengths.sum()
    edge = stamps[order[inside]].min() if inside.any() else np.inf
    chosen = stamps >= edge
    if chosen.all():
        return permanent_random(words, _TARGET_SEED) < share, f"{share:.0%} at random: all records have one event time"
    return chosen, f"newest {lengths[chosen].sum() / lengths.sum():.1%} of tokens by event time"


def _first_of_each(documents: Int64s, keys: list[bytes]) -> Int64s:
    """Documents without later ones of the same text."""
    first: dict[bytes, int] = {}
    for document in documents.tolist():
        first.setdefault(keys[document], document)
    return np.array(list(first.values()), np.int64)


def _capped(documents: Int64s, lengths: Int64s, tokens: int) -> Int64s:
    """So many tokens of documents, spread evenly over them; at least two documents."""
    total = int(lengths[documents].sum())
    if total <= tokens or len(documents) <= 2:
        return documents
    step = total / tokens
    picked = documents[
        np.unique((np.arange(int(len(documents) / step) + 1) * step).astype(np.int64).clip(0, len(documents) - 1))
    ]
    return picked if len(picked) >= 2 else documents[:2]


def _subset(path: Path, whole: TokenFile, documents: Int64s) -> TokenFile:
    ids, offsets = whole.gather(documents)
    ids.tofile(path.with_suffix(".ids"))
    np.savez(path.with_suffix(".npz"), offsets=offsets, n_bytes=whole.n_bytes[documents])
    return TokenFile(path)
