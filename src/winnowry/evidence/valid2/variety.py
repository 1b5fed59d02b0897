"""Variety: how many texts there are in effect, and over how many clusters of an embedding they are spread."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.evidence.valid2.indicators import Measured, drawn, id_bound, unmeasured
from winnowry.evidence.valid2.whole import Counts, Indicators
from winnowry.reading.session import Session
from winnowry.recipe.valid2 import Valid2Gate

Vectors = npt.NDArray[np.float64]

_COMPARED = 1000  # texts whose similarities are computed, each with each
_BUCKETS = 4096  # of hashed words and pairs of words
_CLUSTERED = 10_000  # records
_CLUSTERS = 256
_IN_A_CLUSTER = 8  # records at least, on average, or there are fewer clusters
_ROUNDS = 20  # of k-means
_WORD = re.compile(r"\w+")


def vendi_score(vectors: Vectors) -> float:
    """Effective number of different items: exp of the entropy of the eigenvalues of K/n (Friedman and Dieng 2023).

    Args:
        vectors: n items, each of length 1; K holds their cosines.

    Returns:
        1 (all alike) to n (none like another).

    >>> round(vendi_score(np.eye(4)), 6), round(vendi_score(np.ones((4, 1))), 6)
    (4.0, 1.0)
    """
    n, width = vectors.shape
    gram = vectors @ vectors.T if n <= width else vectors.T @ vectors
    shares = np.linalg.eigvalsh(gram / n)
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def word_vectors(texts: Sequence[str]) -> Vectors:
    """Counts of hashed words and pairs of words, each text scaled to length 1; texts without a word are left out."""
    rows = []
    for text in texts:
        words = _WORD.findall(text.lower())
        pairs = (f"{one} {other}" for one, other in pairwise(words))
        places = [zlib.crc32(gram.encode("utf-8", "replace")) % _BUCKETS for gram in (*words, *pairs)]
        if places:
            counts = np.bincount(places, minlength=_BUCKETS).astype(np.float64)
            rows.append(counts / np.linalg.norm(counts))
    return np.array(rows).reshape(len(rows), _BUCKETS)


def effective_clusters(vectors: Vectors, k: int, seed: int = 0) -> tuple[float, int]:
    """Exp of the entropy of the sizes of k-means clusters, and how many are not empty.

    Args:
        vectors: n items.
        k: clusters, at most n.
        seed: of the first centres.

    >>> corners = np.repeat(np.eye(4), 25, axis=0)
    >>> [round(value, 6) for value in effective_clusters(corners, 4)]
    [4.0, 4]
    """
    generator = np.random.default_rng(seed)
    centres = vectors[_spread_out(vectors, k, generator)]
    k = len(centres)
    for _ in range(_ROUNDS):
        nearest = _nearest(vectors, centres)
        sizes = np.bincount(nearest, minlength=k)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors)
        new_centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
        if np.array_equal(new_centres, centres):
            break
        centres = new_centres
    sizes = np.bincount(_nearest(vectors, centres), minlength=k)
    shares = sizes[sizes > 0] / len(vectors)
    return float(np.exp(-(shares * np.log(shares)).sum())), len(shares)


def _spread_out(vectors: Vectors, k: int, generator: np.random.Generator) -> list[int]:
    """First centres, each drawn by its squared distance to those before (k-means++, Arthur and Vassilvitskii 2007)."""
    chosen = [int(generator.integers(len(vectors)))]
    distance = np.full(len(vectors), np.inf)
    while len(chosen) < k:
        distance = np.minimum(distance, ((vectors - vectors[chosen[-1]]) ** 2).sum(axis=1))
        whole = distance.sum()
        if whole == 0:  # fewer different vectors than clusters
            break
        chosen.append(int(generator.choice(len(vectors), p=distance / whole)))
    return chosen


def _nearest(vectors: Vectors, centres: Vectors) -> npt.NDArray[np.int64]:
    nearest: npt.NDArray[np.int64] = np.argmin((centres**2).sum(axis=1) - 2 * vectors @ centres.T, axis=1)
    return nearest


def of_words(ids: Sequence[str], texts: Sequence[str]) -> Measured:
    """The Vendi score of the words of sampled texts."""
    order = sorted(range(len(ids)), key=ids.__getitem__)[:_COMPARED]  # not the order in which they lie
    vectors = word_vectors([texts[place] for place in order])
    if not len(vectors):
        return unmeasured("no sampled text has a word")
    note = f"of {len(vectors):,} texts; cosines of words and pairs of words"
    return Measured(vendi_score(vectors), "", len(vectors), note=note)


def embedded(session: Session, gate: Valid2Gate, totals: Counts) -> Indicators:
    """The indicators of the column of embeddings that the gate names; nothing without one."""
    if gate.embedding is None:
        return {"effective_clusters": unmeasured("the gate names no column of embeddings")}
    vectors = _column(session, gate.embedding, totals)
    if isinstance(vectors, str):
        return {"effective_clusters": unmeasured(vectors), "vendi_score": unmeasured(vectors)}
    k = max(1, min(_CLUSTERS, len(vectors) // _IN_A_CLUSTER))
    effective, occupied = effective_clusters(vectors, k)
    note = f"of {k} by k-means of `{gate.embedding}`; {occupied} occupied"
    compared = vectors[:_COMPARED]
    return {
        "effective_clusters": Measured(effective, "", len(vectors), note=note),
        "vendi_score": Measured(
            vendi_score(compared),
            "",
            len(compared),
            note=f"of {len(compared):,} records; cosines of `{gate.embedding}`",
        ),
    }


def _column(session: Session, name: str, totals: Counts) -> Vectors | str:
    """Embeddings scaled to length 1, in the order of ids; why there are none."""
    view = session.tables.views["published"]
    if name not in view.schema.names:
        return f"the release has no column `{name}`"
    kind = view.schema.field(name).type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not (is_list and pa.types.is_floating(kind.value_type)):
        return f"`{name}` is {kind}; expected a list of floats"
    rows: list[tuple[str, list[float]]] = []
    for batch in drawn(view, id_bound(view, _CLUSTERED, totals.rows), ["record_id", name], 1024):
        pairs = zip(batch.column("record_id").to_pylist(), batch.column(name).to_pylist(), strict=True)
        rows += [(record, values) for record, values in pairs if values]
    rows.sort()
    widths = {len(values) for _, values in rows}
    if len(widths) != 1:
        return f"`{name}` holds vectors of {len(widths)} lengths" if rows else f"`{name}` is empty in what was drawn"
    vectors = np.array([values for _, values in rows], np.float64)
    length = np.linalg.norm(vectors, axis=1)
    usable = np.isfinite(length) & (length > 0)
    if not usable.any():
        return f"no vector of `{name}` has a length"
    return np.asarray(vectors[usable] / length[usable, None], np.float64)
