"""``dedup.minhash``: keys that similar texts probably share."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.dedup.keys import DuplicateKeys, Forecast, Keys

_MOST_HASHES = 16_384
FORECAST_AT = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


class _Preset(NamedTuple):
    unit: Literal["word", "character"]
    ngram: int
    bands: int
    rows: int


_PRESETS = {"fineweb": _Preset("word", 5, 14, 8), "nemo": _Preset("character", 24, 20, 13)}


def recall(similarity: npt.ArrayLike, bands: int, rows: int) -> npt.NDArray[np.float64]:
    """Probability that two texts of a Jaccard similarity share a band key: ``1 - (1 - s^rows)^bands``.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.2.

    >>> recall([0.7, 0.8], bands=14, rows=8).round(3).tolist()
    [0.565, 0.924]
    """
    s = np.asarray(similarity, dtype=np.float64)
    return 1.0 - (1.0 - s**rows) ** bands


class MinHash(DuplicateKeys):
    """Write MinHash band keys by which the ``duplicates`` stage finds near-duplicates, across the whole corpus.

    A text is folded (lower case, no diacritics, punctuation and symbols as white space, every number as ``0``) and cut
    into overlapping n-grams. Each of bands x rows hash functions gives the n-gram with the smallest value; the values
    of a band's rows make its key. Two texts whose sets of n-grams have the Jaccard similarity s share a key with
    probability ``1 - (1 - s^rows)^bands``. Words are separated by white space; in scripts without it (Han, Kana, Thai,
    Lao, Khmer, Myanmar, Tibetan) every character is a word. A text shorter than an n-gram is one n-gram.

    Writes ``minhash`` (list of ``bands`` uint64; null for a null text and one without words), or the name given by
    ``as``.

    Source: Broder 1997, "On the resemblance and containment of documents"; FineWeb (Penedo et al. 2024, appendix E).
    """

    op: Literal["dedup.minhash"] = "dedup.minhash"
    preset: Literal["fineweb", "nemo"] = Field(
        default="fineweb",
        description="Defaults of the next four: `fineweb` is 5-grams of words, 14 bands of 8 rows (Penedo et al. "
        "2024); `nemo` is 24-grams of characters, 20 bands of 13 rows (NVIDIA NeMo Curator).",
    )
    unit: Literal["word", "character"] | None = Field(
        default=None, description="What n-grams are made of. Source: the preset."
    )
    ngram: int | None = Field(default=None, ge=1, description="Words or characters of an n-gram. Source: the preset.")
    bands: int | None = Field(
        default=None, ge=1, le=1024, description="Keys of a record; more find more pairs. Source: the preset."
    )
    rows: int | None = Field(
        default=None, ge=1, le=128, description="Hash functions of a key; more find fewer pairs. Source: the preset."
    )
    seed: int = Field(
        default=1, ge=0, lt=2**64, description="Of the hash functions; keys of different seeds have nothing in common."
    )

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        if self._shape.bands * self._shape.rows > _MOST_HASHES:
            raise ValueError(f"bands x rows is {self._shape.bands * self._shape.rows:,}; at most {_MOST_HASHES:,}")
        return self

    @property
    def _shape(self) -> _Preset:
        preset = _PRESETS[self.preset]
        chosen = (self.unit, self.ngram, self.bands, self.rows)
        return _Preset(*(default if value is None else value for value, default in zip(chosen, preset, strict=True)))  # type: ignore[arg-type]

    def writes(self) -> pa.Schema:
        """``minhash``, list of uint64."""
        return pa.schema([pa.field(self.as_ or "minhash", pa.list_(pa.uint64()))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n texts."""
        from winnowry.operators.dedup.kernels.minhash import band_keys, permutations
        from winnowry.operators.dedup.kernels.words import fold_table

        shape = self._shape
        text = utf8_buffers(batch.column("text"))
        a, b = permutations(shape.bands * shape.rows, self.seed)
        keys = band_keys(
            text.offsets, text.data, text.valid, fold_table(), shape.unit == "word", shape.ngram, a, b, shape.rows
        )
        has_keys = keys.any(axis=1)
        offsets = np.concatenate([[0], np.cumsum(np.where(has_keys, shape.bands, 0))]).astype(np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(keys[has_keys].ravel()), mask=pa.array(~has_keys))
        return pa.record_batch([column], schema=self.writes())

    def keys(self, column: pa.Array) -> Keys:
        """One key a band, of one word each."""
        bands = self._shape.bands
        keys = np.zeros((len(column), bands), dtype=np.uint64)
        known = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.bool_)
        keys[known] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, bands)
        return [(keys[:, band],) for band in range(bands)]

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Estimate of the Jaccard similarity: the s for which the expected share of common keys is the one observed."""
        return np.asarray((shared / self._shape.bands) ** (1.0 / self._shape.rows), dtype=np.float64)

    def forecast(self) -> Forecast:
        """Expected recall at the similarities of :data:`FORECAST_AT`."""
        shape = self._shape
        expected = recall(FORECAST_AT, shape.bands, shape.rows)
        return Forecast(
            *shape,
            threshold=(1 / shape.bands) ** (1 / shape.rows),
            recall={s: float(p) for s, p in zip(FORECAST_AT, expected, strict=True)},
        )
