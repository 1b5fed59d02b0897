"""One measurement: a proxy trained on one selection and evaluated on every set; a re-run trains nothing twice."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from winnowry.core.formats import from_bytes, from_document, made_from, to_bytes, to_document
from winnowry.evidence.comparison.arms import Chosen
from winnowry.evidence.comparison.proxies import train_proxy
from winnowry.evidence.comparison.questions import QuestionFile, answered
from winnowry.evidence.comparison.texts import TokenFile
from winnowry.recipe.comparison import Proxy
from winnowry.storage.objects import ObjectStore

_TRIGRAM_TOKENS = 1 << 20
_SEED = 0  # of shuffling and of a proxy's first weights: between draws only the part of the pool differs


@dataclass(frozen=True)
class Setting:
    """What is measured: an arm at a budget and a seed, in an experiment."""

    experiment: str
    arm: str
    token_fraction: float
    seed: int

    @property
    def name(self) -> str:
        """Part of the measurement's id."""
        return f"{self.experiment}/{self.arm}/{self.token_fraction:g}/{self.seed}"


@dataclass(frozen=True)
class MeasureTask:
    """Train on a selection and evaluate; picklable, the texts are files."""

    setting: Setting
    chosen: Chosen
    pool: TokenFile
    documents: npt.NDArray[np.int64]
    target: TokenFile
    evaluations: dict[str, TokenFile]
    questions: dict[str, QuestionFile]
    proxy: Proxy


@dataclass(frozen=True)
class Measured:
    """The result of one measurement.

    Attributes:
        bits_per_byte: by evaluation set; total bits over total bytes, of questions with their right choices.
        accuracy: by set of questions; share answered right.
        distinct_trigram_fraction: different token trigrams over trigrams, of the first million tokens.
        seconds: CPU seconds by step.
    """

    setting: Setting
    bits_per_byte: dict[str, float]
    documents: int
    tokens: int
    mean_document_tokens: float
    distinct_trigram_fraction: float
    selection_seconds: float
    training_seconds: float
    accuracy: dict[str, float] = field(default_factory=dict)

    def body(self) -> bytes:
        """As JSON."""
        return to_bytes("measurement", to_document(self))

    @staticmethod
    def read(uri: str, body: bytes) -> Measured:
        """Read what :meth:`body` wrote."""
        document = from_bytes("measurement", uri, body).content
        with made_from("measurement", uri):
            return from_document(Measured, document, setting=from_document(Setting, document["setting"]))


def run_measure_task(task: MeasureTask) -> Measured:
    """Train and evaluate; called in a worker."""
    started = _cpu_seconds()
    own, own_offsets = task.pool.gather(task.documents[task.chosen.documents])
    from_target, target_offsets = task.target.gather(task.chosen.from_target)
    ids = np.concatenate([from_target, own])
    offsets = np.concatenate([target_offsets, own_offsets[1:] + target_offsets[-1]])
    if task.chosen.shuffled:
        ids = _shuffled(ids, offsets)
    model = train_proxy(task.proxy, ids, offsets, _SEED)
    bits_per_byte = {}
    for name, file in task.evaluations.items():
        bits = model.document_bits(np.asarray(file.token_ids), file.offsets)
        bits_per_byte[name] = float(bits.sum() / max(int(file.n_bytes.sum()), 1))
    accuracy = {}
    for name, questions in task.questions.items():
        bits = model.document_bits(np.asarray(questions.tokens.token_ids), questions.tokens.offsets)
        n_bytes = questions.tokens.n_bytes[questions.right]
        bits_per_byte[name] = float(bits[questions.right].sum() / max(int(n_bytes.sum()), 1))
        accuracy[name] = answered(bits, questions)
    n_documents = len(offsets) - 1
    return Measured(
        setting=task.setting,
        bits_per_byte=bits_per_byte,
        documents=n_documents,
        tokens=len(ids),
        mean_document_tokens=len(ids) / max(n_documents, 1),
        distinct_trigram_fraction=_distinct_trigrams(ids[:_TRIGRAM_TOKENS]),
        selection_seconds=task.chosen.seconds,
        training_seconds=_cpu_seconds() - started,
        accuracy=accuracy,
    )


def _shuffled(ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Tokens of each document in random order: what must lose, whatever it was selected by."""
    rng = np.random.default_rng(_SEED)
    shuffled = ids.copy()
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        rng.shuffle(shuffled[start:stop])
    return shuffled


def _distinct_trigrams(ids: npt.NDArray[np.int32]) -> float:
    if len(ids) < 3:
        return 0.0
    wide = ids.astype(np.uint64)
    mixed = (wide[:-2] * np.uint64(0x9E3779B97F4A7C15) ^ wide[1:-1]) * np.uint64(0xBF58476D1CE4E5B9) ^ wide[2:]
    return float(len(np.unique(mixed)) / len(mixed))


class MeasurementStore:
    """Finished measurements of one comparison, one object each.

    Args:
        store: the lake's objects.
        folder: named by everything the measurements depend on.
    """

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store, self._folder = store, folder

    def get(self, setting: Setting) -> Measured | None:
        """A measurement that an earlier run finished."""
        uri = self._uri(setting)
        return Measured.read(uri, self._store.read(uri)) if self._store.exists(uri) else None

    def put(self, measured: Measured) -> None:
        """Keep a measurement."""
        self._store.write(self._uri(measured.setting), measured.body())

    def _uri(self, setting: Setting) -> str:
        return f"{self._folder}/{setting.name}.json"


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
