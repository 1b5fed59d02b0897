"""``dedup.minhash``: keys that similar texts probably share."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from winnowry.core.errors import DataError
from winnowry.operators.buffers import TEXT, as_text, utf8_buffers
from winnowry.operators.dedup.keys import DuplicateKeys, Forecast, Keys
from winnowry.operators.text.nfc import to_nfc

_MOST_HASHES = 16_384
FORECAST_AT = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


class _Preset(NamedTuple):
    unit: Literal["word", "character"]
    ngram: int
    bands: int
    rows: int


Folding = Literal["numbers", "marks", "diacritics"]
_PRESETS = {"fineweb": _Preset("word", 5, 14, 8), "nemo": _Preset("character", 24, 20, 13)}


def recall(similarity: npt.ArrayLike, bands: int, rows: int) -> npt.NDArray[np.float64]:
    """Probability that two texts of a Jaccard similarity share a band key: ``1 - (1 - s^rows)^bands``.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.2.

    >>> recall([0.7, 0.8], bands=14, rows=8).round(3).tolist()
    [0.565, 0.924]
    """
    s = np.asarray(similarity, dtype=np.float64)
    return 1.0 - (1.0 - s**rows) ** bands


def fewest_units(ngram: int, bands: int, rows: int) -> int:
    """The length of a text in which one changed word is as much as near-duplicates may differ.

    A changed word changes ``ngram`` of its n-grams. Of m n-grams the Jaccard similarity is then (m - ngram) /
    (m + ngram), which reaches t, where the curve of :func:`recall` is steepest, at m = ngram (1 + t) / (1 - t).

    >>> fewest_units(5, 14, 8)
    35
    """
    threshold = float((1 / bands) ** (1 / rows))
    if threshold == 1:
        return ngram
    return math.ceil(ngram * (1 + threshold) / (1 - threshold)) + ngram - 1


class MinHash(DuplicateKeys):
    """Write MinHash band keys by which the ``duplicates`` stage finds near-duplicates, across the whole corpus.

    A text is folded (lower case, no diacritics, punctuation and symbols as white space, every number as ``0``; see
    ``fold``) and cut into overlapping n-grams. Each of bands x rows hash functions gives the n-gram with the smallest
    value; the values of a band's rows make its key. Two texts whose sets of n-grams have the Jaccard similarity s share
    a key with probability ``1 - (1 - s^rows)^bands``. Words are separated by white space; in scripts without it (Han,
    Kana, Thai, Lao, Khmer, Myanmar, Tibetan) every character is a word. A text shorter than an n-gram is one n-gram.

    A short text is not folded but for case, white space and composition: in fewer words than ``fold_from`` a single
    one is more than near-duplicates may differ by, so that ``2 + 3`` and ``2 - 3``, ``C`` and ``C++``, ``ma`` and
    ``má`` stay apart. A text below that length is not compared with one above.

    Writes ``minhash`` (list of ``bands`` + 1 uint64, the last a hash of the text as it is; null for a null text and
    one without words), or the name given by ``as``. ``similarity`` is 1.0 only for the very same text.

    Source: Broder 1997, "On the resemblance and containment of documents"; FineWeb (Penedo et al. 2024, appendix E);
    what is folded, and that it can be switched: datatrove 0.10.1 (TextNormConfig).
    """

    VERSION: ClassVar[int] = 2

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
    fold: tuple[Folding, ...] = Field(
        default=("numbers", "marks", "diacritics"),
        description="What longer texts are compared without: the values of numbers, punctuation and symbols, "
        "diacritics; [] for none. Case and white space never count. Source: datatrove 0.10.1 (TextNormConfig).",
    )
    fold_from: int | None = Field(
        default=None,
        ge=0,
        description="Fewest words (characters with `unit: character`) of a text that is folded; 0 folds every text. "
        "Unset: the length at which one changed word is all that near-duplicates may differ by, 35 words with "
        "`fineweb`, 233 characters with `nemo`.",
    )
    seed: int = Field(
        default=1, ge=0, lt=2**64, description="Of the hash functions; bands of different seeds have nothing in common."
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
        """``minhash``, list of bands + 1 uint64."""
        return pa.schema([pa.field(self.as_ or "minhash", pa.list_(pa.uint64()))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n texts."""
        text = as_text(batch.column("text"))
        keys, short = self._band_keys(text, frozenset(self.fold), self._fold_from)
        rows = np.flatnonzero(short)
        if len(rows):
            composed = [to_nfc(value) for value in text.take(pa.array(rows)).to_pylist()]
            keys[rows] = self._band_keys(pa.array(composed, TEXT), frozenset(), 0)[0]
        has_keys = keys.any(axis=1)
        offsets = np.concatenate([[0], np.cumsum(np.where(has_keys, keys.shape[1], 0))]).astype(np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(keys[has_keys].ravel()), mask=pa.array(~has_keys))
        return pa.record_batch([column], schema=self.writes())

    @property
    def _fold_from(self) -> int:
        _, ngram, bands, rows = self._shape
        return fewest_units(ngram, bands, rows) if self.fold_from is None else self.fold_from

    def _band_keys(
        self, text: pa.Array, fold: frozenset[Folding], fewest: int
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """Keys of n texts, shape (n, bands + 1), none for those of fewer words, and which these are."""
        from winnowry.operators.dedup.kernels.minhash import band_keys, permutations
        from winnowry.operators.dedup.kernels.words import fold_table

        shape = self._shape
        buffers = utf8_buffers(text)
        a, b = permutations(shape.bands * shape.rows, self.seed)
        table = fold_table(marks="marks" in fold, diacritics="diacritics" in fold)
        keys, short = band_keys(
            buffers.offsets, buffers.data, buffers.valid, table, shape.unit == "word", shape.ngram,
            "numbers" in fold, fewest, a, b, shape.rows,
        )  # fmt: skip
        return keys, short

    def keys(self, column: pa.Array) -> Keys:
        """One key a band and one of the whole text, of one word each.

        Raises:
            DataError: the column holds other keys than these.
        """
        n_keys = self._shape.bands + 1
        keys = np.zeros((len(column), n_keys), dtype=np.uint64)
        known = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.bool_)
        values = column.flatten().to_numpy(zero_copy_only=False)
        if len(values) != n_keys * known.sum():
            raise DataError(
                f"{self.key_column}: {len(values):,} keys of {known.sum():,} records, expected {n_keys} of each; they "
                "were written by another version of dedup.minhash: clean the partitions again"
            )
        keys[known] = values.reshape(-1, n_keys)
        return [(keys[:, key],) for key in range(n_keys)]

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Estimate of the Jaccard similarity: the s for which the expected share of common keys is the one observed.

        1.0 is for texts that share the key of the whole text, too. Where all bands are shared without it, the folded
        texts have the same n-grams, or nearly so, and the estimate is that for half a band less.
        """
        bands = self._shape.bands
        alike = np.minimum(shared, bands - 0.5)
        estimate = (alike / bands) ** (1.0 / self._shape.rows)
        return np.asarray(np.where(shared > bands, 1.0, estimate), dtype=np.float64)

    def forecast(self) -> Forecast:
        """Expected recall at the similarities of :data:`FORECAST_AT`."""
        shape = self._shape
        expected = recall(FORECAST_AT, shape.bands, shape.rows)
        return Forecast(
            *shape,
            threshold=(1 / shape.bands) ** (1 / shape.rows),
            recall={s: float(p) for s, p in zip(FORECAST_AT, expected, strict=True)},
        )
