"""``score.dsir``: how much likelier a text is in a target set than in the corpus, by hashed n-grams."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import FittedOperator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.scoring.target_texts import TargetTexts
from winnowry.operators.scoring.token_count import _decoded

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Hashing = Literal["fast", "sha256"]

FIT_VERSION = 1
_EPSILON = 1e-8
_CHUNK = 1000
_TOKENS = re.compile(r"\w+|[^\w\s]+")
_MOST_REMEMBERED = 1 << 20


class Dsir(FittedOperator):
    r"""Log importance weight of a text for a target set (DSIR): higher is more like the target.

    The text is lower-cased and cut into tokens (``\w+|[^\w\s]+``, NLTK's WordPunct); unigrams and bigrams are hashed
    into ``n_buckets``; and with p the share of a bucket among the n-grams of the target set or of a sample of the
    corpus, both frozen at the fit::

        <as> = sum over n-grams of  ln(p_target + 1e-8) - ln(p_corpus + 1e-8)

    It is a sum, so that long texts hold both ends of the ranking; ``per_token`` divides it by the number of tokens.
    DSIR selects by ``sample: {method: gumbel_top_k, by: dsir, …}``.

    Writes ``<as>`` (double; null where the text is null or has fewer than ``min_words`` tokens, or none) and
    ``<as>_n_words`` (int64: tokens).

    Source: Xie et al. (2023), Data selection for language models via importance resampling, and its package
    data-selection 1.0.3.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["score.dsir"] = "score.dsir"
    as_: str = Field(
        default="dsir", alias="as", min_length=1, description="name of the score column and prefix of the other"
    )
    target: TargetTexts = Field(description="texts that the corpus should resemble")
    per_token: bool = Field(default=False, description="divide the weight by the number of tokens (DSIR: false)")
    hashing: Hashing = Field(
        default="fast",
        description="sha256: SHA-256 of the n-gram modulo n_buckets, as the released code; fast: another 64-bit hash, "
        "the same method tens of times as fast",
    )
    n_buckets: int = Field(default=10_000, ge=2, le=1 << 20, description="hash buckets (DSIR: 10,000)")
    min_words: int = Field(
        default=1, ge=1, description="texts with fewer tokens have no score (the released code drops below 100)"
    )
    target_sha256: str | None = Field(
        default=None,
        description="hash of the target set's contents; computed when the recipe is loaded, and other contents then "
        "stop the fit",
    )

    @model_validator(mode="after")
    def _hash_target(self) -> Self:
        # A specification that was stored holds the hash, and is still one when the files have changed or gone.
        if self.target_sha256 is None:
            self.__dict__["target_sha256"] = self.target.content_sha256()  # the model is frozen from here on
        return self

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The log weight, and the number of tokens."""
        return pa.schema([pa.field(self.as_, pa.float64()), pa.field(f"{self.as_}_n_words", pa.int64())])

    def components(self) -> pa.Schema:
        """The text: its n-grams are counted at the fit."""
        return self.reads()

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The texts as they are."""
        return batch.select(["text"])

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Count the n-grams of the target set and of the corpus sample; the order of texts does not matter.

        Returns:
            A JSON object: the parameters, and ``target`` and ``corpus``: n-grams by bucket.

        Raises:
            ContractError: the target set changed since the recipe was loaded, or cannot be read.
        """
        assert self.target_sha256 is not None
        return {
            "version": FIT_VERSION,
            "operator_version": self.VERSION,
            "hashing": self.hashing,
            "n_buckets": self.n_buckets,
            "target_sha256": self.target_sha256,
            "target": self._counted(self.target.texts(self.target_sha256)).tolist(),
            "corpus": self._counted(text for text in components["text"].to_pylist() if text).tolist(),
        }

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Weigh n texts.

        Raises:
            UsageError: the counts were made with other parameters.
        """
        self._check(fit)
        ratios = log_ratios(np.array(fit["target"]), np.array(fit["corpus"]))
        texts = _decoded(batch.column("text"))
        sums, n_words, _ = self._summed(texts, ratios)
        known = n_words >= self.min_words
        if self.per_token:
            sums = sums / np.maximum(n_words, 1)
        missing = np.array([text is None for text in texts], np.bool_)
        columns = [pa.array(sums, pa.float64(), mask=~known), pa.array(n_words, pa.int64(), mask=missing)]
        return pa.record_batch(columns, schema=self.writes())

    def _counted(self, texts: Iterable[str]) -> Int64s:
        counts = np.zeros(self.n_buckets, np.int64)
        stream = iter(texts)
        while chunk := list(islice(stream, _CHUNK)):
            counts += self._summed(chunk, np.zeros(self.n_buckets))[2]
        return counts

    def _summed(self, texts: Sequence[str | None], table: Float64s) -> tuple[Float64s, Int64s, Int64s]:
        """Sum of a table over the n-grams of each text, its number of tokens, and n-grams of all texts by bucket."""
        sums, n_words = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
        counts = np.zeros(len(table), np.int64)
        lowered = [None if text is None else text.lower() for text in texts]
        if self.hashing == "sha256":
            for row, text in enumerate(lowered):
                tokens = _TOKENS.findall(text or "")
                n_words[row] = len(tokens)
                buckets = _sha256_buckets([*tokens, *(f"{a} {b}" for a, b in pairwise(tokens))], len(table))
                sums[row] = table[buckets].sum()
                counts += np.bincount(buckets, minlength=len(table))
            return sums, n_words, counts
        from winnowry.operators.scoring.kernels.dsir import character_classes, sum_grams

        buffers = utf8_buffers(pa.array([text or "" for text in lowered], pa.large_string()))
        sum_grams(buffers.offsets, buffers.data, character_classes(), table, counts, sums, n_words)
        return sums, n_words, counts

    def _check(self, fit: Mapping[str, Any]) -> None:
        expected = {
            "version": FIT_VERSION,
            "operator_version": self.VERSION,
            "hashing": self.hashing,
            "n_buckets": self.n_buckets,
            "target_sha256": self.target_sha256,
        }
        wrong = [f"{key} {fit.get(key)!r}, not {value!r}" for key, value in expected.items() if fit.get(key) != value]
        if wrong:
            raise UsageError(
                f"the counts given to {self.op} ({self.as_}) have {'; '.join(wrong)}; run the stage fit again"
            )


def log_ratios(target: Int64s, corpus: Int64s) -> Float64s:
    """``ln(p_target + 1e-8) - ln(p_corpus + 1e-8)`` of every bucket, p = count / sum of counts (0 where none).

    >>> log_ratios(np.array([3, 1]), np.array([1, 3])).round(4).tolist()
    [1.0986, -1.0986]
    """
    shares = [counts / max(int(counts.sum()), 1) for counts in (target, corpus)]
    log_ratios: Float64s = np.log(shares[0] + _EPSILON) - np.log(shares[1] + _EPSILON)
    return log_ratios


_remembered: dict[tuple[str, int], int] = {}


def _sha256_buckets(grams: list[str], n_buckets: int) -> Int64s:
    """Buckets as the released code has them; frequent n-grams are remembered by the process."""
    buckets = np.empty(len(grams), np.int64)
    for place, gram in enumerate(grams):
        bucket = _remembered.get((gram, n_buckets))
        if bucket is None:
            if len(_remembered) >= _MOST_REMEMBERED:
                _remembered.clear()
            bucket = int.from_bytes(hashlib.sha256(gram.encode()).digest(), "big") % n_buckets
            _remembered[gram, n_buckets] = bucket
        buckets[place] = bucket
    return buckets
