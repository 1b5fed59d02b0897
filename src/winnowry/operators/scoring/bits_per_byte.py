"""``score.bits_per_byte``: how well an n-gram model of a target set predicts a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import FittedOperator
from winnowry.operators.quality import Quality
from winnowry.operators.scoring.ngram import MAX_ORDER, NgramModel
from winnowry.operators.scoring.ngram_tokens import encoded, vocabulary_size
from winnowry.operators.scoring.target_texts import TargetTexts
from winnowry.operators.scoring.token_count import TokenizerName, _decoded

FIT_VERSION = 1
_CHUNK = 1000


class BitsPerByte(FittedOperator):
    """Bits that an n-gram model of a target set needs for a byte of the text: lower is more like the target.

    ``-log2 p(text) / bytes``, p of a Kneser-Ney model over the tokens of ``tokenizer`` (its end symbol included),
    bytes of the text in UTF-8 and Unicode NFC. The tokens spell every byte, so nothing is out of vocabulary: what the
    target never contained is charged like any other byte sequence, by the backoff of the model, and texts of any
    language and tokenizer compare. To keep the lowest, say ``sample: {by: bits_per_byte, prefer: lowest, …}``.

    With ``target`` the model learns those files; records of the corpus that are also in them have very few bits.
    Without it, it learns the fit sample of the corpus itself. Then there are two models, of one half of the texts
    each, and a text is scored by the one that did not learn it; which half a text belongs to is a hash of the text,
    so a copy never betrays its original.

    Writes ``<as>`` (double): bits per byte; null for a null or empty text.

    Source: Chen and Goodman (1999) for the model; CCNet (Wenzek et al. 2020) for selecting by the perplexity of a
    target model.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"bits_per_byte": Quality("machine", "lower")}

    op: Literal["score.bits_per_byte"] = "score.bits_per_byte"
    as_: str = Field(default="bits_per_byte", alias="as", min_length=1, description="name of the written column")
    target: TargetTexts | None = Field(
        default=None, description="texts that the model learns; null: a sample of the corpus itself"
    )
    order: int = Field(default=3, ge=1, le=MAX_ORDER, description="longest n-gram, in tokens")
    tokenizer: TokenizerName = Field(default="qwen", description="whose tokens, see score.token_count")
    max_tokens: int = Field(
        default=10_000_000, ge=1000, description="tokens the model learns at most, the first of the target set"
    )
    target_sha256: str | None = Field(
        default=None,
        description="hash of the target set's contents; computed when the recipe is loaded, and other contents then "
        "stop the fit",
    )

    @model_validator(mode="after")
    def _hash_target(self) -> Self:
        if self.target is None and self.target_sha256 is not None:
            raise ValueError("`target_sha256` without `target`")
        # A specification that was stored holds the hash, and is still one when the files have changed or gone.
        if self.target is not None and self.target_sha256 is None:
            self.__dict__["target_sha256"] = self.target.content_sha256()  # the model is frozen from here on
        return self

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """Bits per byte."""
        return pa.schema([pa.field(self.as_, pa.float64())])

    def components(self) -> pa.Schema:
        """The text where the model learns the corpus itself; else its size in bytes, which is not learnt."""
        kind = pa.field("text", pa.large_string()) if self.target is None else pa.field("n_bytes", pa.int64())
        return pa.schema([kind])

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """See :meth:`components`."""
        texts = batch.column("text")
        values = texts if self.target is None else pa.compute.binary_length(texts).cast(pa.int64())
        return pa.record_batch([values], schema=self.components())

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Train on the target set, or on the sample.

        Returns:
            ``version``, ``operator_version``, ``order``, ``tokenizer``, ``target_sha256``, ``n_tokens``,
            ``n_documents``, ``sha256`` (of the models) and ``models``: bytes, what :meth:`NgramModel.to_bytes` wrote of
            one model (target) or two (the second is of texts whose hash is odd).

        Raises:
            ContractError: the target set changed since the recipe was loaded, or cannot be read.
        """
        if self.target is not None:
            assert self.target_sha256 is not None
            models = [self._train(self.target.texts(self.target_sha256), self.max_tokens)]
        else:
            texts = [text for text in components["text"].to_pylist() if text]
            halves = [[text for text in texts if _half(text) == half] for half in (0, 1)]
            models = [self._train(half, self.max_tokens // 2) for half in halves]
        fitted = {f"model_{number}": model.to_bytes() for number, model in enumerate(models)}
        return {
            "version": FIT_VERSION,
            "operator_version": self.VERSION,
            "order": self.order,
            "tokenizer": self.tokenizer,
            "target_sha256": self.target_sha256,
            "n_models": len(models),
            "n_tokens": sum(model.n_tokens for model in models),
            "n_documents": sum(model.n_documents for model in models),
            "sha256": [model.content_hash() for model in models],
            **fitted,
        }

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Score n texts.

        Raises:
            UsageError: the model was fitted with other parameters.
        """
        self._check(fit)
        texts = batch.column("text")
        held = encoded(texts, self.tokenizer)
        bits = np.stack(
            [
                _model(fit[f"model_{number}"]).document_bits(held.token_ids, held.offsets)
                for number in range(fit["n_models"])
            ]
        )
        if fit["n_models"] == 2:
            unlearnt = np.array([1 - _half(text) if text else 0 for text in _decoded(texts)], np.int64)
            bits = np.take_along_axis(bits, unlearnt[None, :], axis=0)
        empty = held.n_bytes == 0
        per_byte = bits[0] / np.maximum(held.n_bytes, 1)
        return pa.record_batch([pa.array(per_byte, pa.float64(), mask=empty)], schema=self.writes())

    def _train(self, texts: Iterable[str], max_tokens: int) -> NgramModel:
        ids: list[npt.NDArray[np.int32]] = []
        lengths: list[npt.NDArray[np.int64]] = []
        left = max_tokens
        for chunk in _chunks(texts):
            tokens = encoded(pa.array(chunk, pa.large_string()), self.tokenizer)
            ends = np.minimum(tokens.offsets[1:], left)
            starts = np.minimum(tokens.offsets[:-1], left)
            learnt = tokens.offsets[:-1] < left
            ids.append(tokens.token_ids[: int(ends[-1])])
            lengths.append((ends - starts)[learnt])
            left -= int(ends[-1])
            if left <= 0:
                break
        token_ids = np.concatenate(ids) if ids else np.empty(0, np.int32)
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]) if lengths else np.zeros(1, np.int64)
        return NgramModel.train(token_ids, offsets.astype(np.int64), self.order, vocabulary_size(self.tokenizer))

    def _check(self, fit: Mapping[str, Any]) -> None:
        expected = {
            "version": FIT_VERSION,
            "operator_version": self.VERSION,
            "order": self.order,
            "tokenizer": self.tokenizer,
            "target_sha256": self.target_sha256,
        }
        wrong = [f"{key} {fit.get(key)!r}, not {value!r}" for key, value in expected.items() if fit.get(key) != value]
        if wrong:
            raise UsageError(
                f"the model given to {self.op} ({self.as_}) has {'; '.join(wrong)}; run the stage fit again"
            )


@lru_cache(maxsize=4)
def _model(data: bytes) -> NgramModel:
    """A model, read once a process."""
    return NgramModel.from_bytes(data)


def _half(text: str) -> int:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=1).digest()[0] & 1


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
