"""How the release was chosen from what was scored: scores, the sampling curve, and what the choice shifted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from winnowry.core.sql import identifier
from winnowry.reading.session import Session
from winnowry.records.kinds import sized_by
from winnowry.stages.graph import ARRIVED, DRAWN, KEPT, PUBLISHED, SCORED

_BINS = 40  # of a histogram
_RANKS = 50  # points of the sampling curve
_TAIL = 0.005  # of the scores beyond each end of the histogram
_SHOWN = 12  # values of a mix
_PARTITIONS = 400  # newest ones

Numbers = npt.NDArray[np.float64]


def score_column(session: Session) -> str | None:
    """The column that the sample was drawn by; None for a uniform draw or where nobody says."""
    record = session.tables.of_stage(DRAWN)
    by = (record.lineage.get("spec", {}).get("sample") or {}).get("by") if record is not None else None
    return by if isinstance(by, str) and session.tables.has(SCORED, by) else None


def make_pool(session: Session, by: str | None) -> bool:
    """Join what was scored with what was published into the table ``pool``, on disk where it does not fit.

    Args:
        session: the session.
        by: the score column.

    Returns:
        False where nothing is scored.
    """
    tables = session.tables
    kind = sized_by(tables.views[SCORED].schema.names) if tables.has(SCORED) else None
    if kind is None:
        return False
    size = kind.size_in_sql(f"{SCORED}.") + ("" if kind.in_tokens else " AS n_tokens")  # one name for sizes of any kind
    score = f"{SCORED}.{identifier(by)}::DOUBLE" if by is not None else "NULL::DOUBLE"
    drawn, join = "NULL::DOUBLE", ""
    if tables.has(DRAWN):
        drawn, join = f"{DRAWN}.probability", f" JOIN {DRAWN} USING (record_id)"
    beside = {name: f"{KEPT}.{name}" for name in ("source", "license", "language") if tables.has(KEPT, name)}
    if beside:
        join += f" LEFT JOIN {KEPT} USING (record_id)"
    columns = "".join(f", {column} AS {name}" for name, column in beside.items())
    stratum = f", {DRAWN}.stratum" if tables.has(DRAWN, "stratum") else ""
    session.run(
        f"CREATE TEMP TABLE pool AS SELECT {SCORED}.partition, {size}, {score} AS score, "
        f"{drawn} AS probability, chosen.id IS NOT NULL AS kept{columns}{stratum} FROM {SCORED}{join} "
        f"LEFT JOIN (SELECT record_id AS id FROM {PUBLISHED}) AS chosen ON chosen.id = {SCORED}.record_id"
    )
    return True


def scores(session: Session, by: str | None) -> dict[str, Any] | None:
    """Distribution of the score for kept and dropped records, and the probability of being drawn over its rank.

    Returns:
        None without a score. ``edges`` (k + 1) with ``kept`` and ``dropped`` (k): rows by score, those beyond an end
        counted in the bin at that end; ``curve``: rank (0 is the lowest score), mean probability and share of rows
        kept of equally filled bins; the means; ``missing``: rows whose score is null, NaN or infinite.
    """
    if by is None:
        return None
    totals = session.one(
        "SELECT COUNT(*) FILTER (WHERE isfinite(score)) AS n, COUNT(*) AS rows, "
        "MIN(score) FILTER (WHERE isfinite(score)) AS low, MAX(score) FILTER (WHERE isfinite(score)) AS high, "
        "AVG(score) FILTER (WHERE isfinite(score) AND kept) AS mean_kept, "
        "AVG(score) FILTER (WHERE isfinite(score) AND NOT kept) AS mean_dropped FROM pool"
    )
    missing = totals["rows"] - totals["n"]
    if not totals["n"]:
        return {
            "by": by,
            "missing": missing,
            "rows": totals["rows"],
            "edges": [],
            "kept": [],
            "dropped": [],
            "curve": [],
        }
    ranks_and_tails = [_TAIL, *np.linspace(0, 1, _RANKS + 1)[1:-1].tolist(), 1 - _TAIL]
    listed = ", ".join(f"{value:.6f}" for value in ranks_and_tails)
    quantiles = session.one(f"SELECT approx_quantile(score, [{listed}]) AS q FROM pool WHERE isfinite(score)")["q"]
    low, high = float(quantiles[0]), float(quantiles[-1])
    if low >= high:
        low, high = float(totals["low"]), float(totals["high"])
    if low >= high:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    ranks = np.unique(np.asarray(quantiles[1:-1], np.float64))
    bins = np.zeros((2, _BINS))
    filled = np.zeros((3, len(ranks) + 1))  # rows, probability, kept
    for batch in session.batches("SELECT score, COALESCE(probability, 0) AS p, kept FROM pool WHERE isfinite(score)"):
        score, probability, kept = (batch.column(i).to_numpy(zero_copy_only=False) for i in range(3))
        place = np.clip(np.searchsorted(edges, score, "right") - 1, 0, _BINS - 1)
        for side in (0, 1):
            bins[side] += np.bincount(place[kept == (side == 0)], minlength=_BINS)
        rank = np.searchsorted(ranks, score, "left")
        for row, weights in enumerate((None, probability, kept.astype(np.float64))):
            filled[row] += np.bincount(rank, weights=weights, minlength=len(ranks) + 1)
    return {
        "by": by,
        "rows": totals["rows"],
        "missing": missing,
        "low": totals["low"],
        "high": totals["high"],
        "mean_kept": totals["mean_kept"],
        "mean_dropped": totals["mean_dropped"],
        "edges": edges.tolist(),
        "kept": bins[0].astype(int).tolist(),
        "dropped": bins[1].astype(int).tolist(),
        "curve": _curve(filled),
    }


def _curve(filled: Numbers) -> list[dict[str, float]]:
    n = filled[0]
    ends = np.cumsum(n)
    there = n > 0
    middles = (ends - n / 2) / ends[-1]
    return [
        {"rank": float(rank), "probability": float(p / rows), "kept": float(kept / rows)}
        for rank, rows, p, kept in zip(
            middles[there], n[there], filled[1][there], filled[2][there], strict=True
        )
    ]  # fmt: skip


def shifts(session: Session) -> dict[str, Any]:
    """How the published records differ from the scored ones: mixes of sources and so on, and lengths.

    Returns:
        ``mixes``: by column the largest values with rows and tokens in both, how many values there are, and
        ``distance``, half the sum of the differences between the shares of tokens (0 the same, 1 disjoint);
        ``lengths``: see :func:`_lengths`.
    """
    names = [row["column_name"] for row in session.rows("DESCRIBE pool")]
    wanted = [name for name in ("source", "stratum", "license", "language", "partition") if name in names]
    mixes = {name: mix for name in wanted if (mix := _mix(session, name))["total"] > 1}
    return {"mixes": mixes, "lengths": _lengths(session)}


def _mix(session: Session, column: str) -> dict[str, Any]:
    name = identifier(column)
    grouped = (
        f"SELECT {name} AS name, COUNT(*) AS rows, SUM(n_tokens)::BIGINT AS tokens, "
        "COUNT(*) FILTER (WHERE kept) AS kept_rows, "
        f"COALESCE(SUM(n_tokens) FILTER (WHERE kept), 0)::BIGINT AS kept_tokens FROM pool GROUP BY {name}"
    )
    listed = session.rows(f"{grouped} ORDER BY tokens DESC, name LIMIT {_SHOWN}")
    totals = session.one(
        f"WITH g AS ({grouped}), s AS (SELECT SUM(tokens) AS a, SUM(kept_tokens) AS b, COUNT(*) AS n FROM g) "
        "SELECT any_value(s.n) AS total, any_value(s.a)::BIGINT AS tokens, any_value(s.b)::BIGINT AS kept_tokens, "
        "SUM(ABS(g.tokens / NULLIF(s.a, 0) - g.kept_tokens / NULLIF(s.b, 0))) / 2 AS distance FROM g, s"
    )
    return {**totals, "total": totals["total"] or 0, "listed": listed}


def _lengths(session: Session) -> dict[str, Any] | None:
    """Documents by length in powers of two, medians, and the largest distance between the two CDFs (0 to 1)."""
    counted: list[list[Numbers]] = [[], [], []]
    for batch in session.batches(
        "SELECT n_tokens, COUNT(*) AS n, COUNT(*) FILTER (WHERE kept) AS k FROM pool "
        "GROUP BY n_tokens ORDER BY n_tokens"
    ):
        for into, column in zip(counted, batch.columns, strict=True):
            into.append(column.to_numpy(zero_copy_only=False).astype(np.float64))
    if not sum(len(part) for part in counted[0]):
        return None
    size, n, k = (np.concatenate(parts) for parts in counted)
    power = np.floor(np.log2(np.maximum(size, 1))).astype(int)
    first, last = int(power.min()), int(power.max())
    found_bins = [
        {
            "from": 2**p if p else 0,
            "below": 2 ** (p + 1),
            "pool": int(n[power == p].sum()),
            "kept": int(k[power == p].sum()),
        }
        for p in range(first, last + 1)
    ]
    return {
        "bins": found_bins,
        "median_pool": _median(size, n),
        "median_kept": _median(size, k),
        "mean_pool": float((size * n).sum() / n.sum()),
        "mean_kept": float((size * k).sum() / k.sum()) if k.sum() else None,
        "distance": float(np.abs(np.cumsum(n) / n.sum() - np.cumsum(k) / k.sum()).max()) if k.sum() else None,
    }


def _median(values: Numbers, counts: Numbers) -> float | None:
    total = counts.sum()
    return float(values[np.searchsorted(np.cumsum(counts), total / 2)]) if total else None


def partitions(session: Session, pooled: bool) -> dict[str, Any]:
    """Every partition in order (the newest where there are very many): rows read, kept, published; score, length.

    Args:
        session: the session.
        pooled: the table ``pool`` is there.
    """
    by_key: dict[str, dict[str, Any]] = {}
    for name in (ARRIVED, KEPT):
        if session.tables.has(name):
            for row in session.rows(f"SELECT partition, COUNT(*) AS n FROM {name} GROUP BY partition"):
                by_key.setdefault(row["partition"], {})[name] = row["n"]
    if pooled:
        for row in session.rows(
            "SELECT partition, COUNT(*) AS scored, AVG(score) FILTER (WHERE isfinite(score)) AS mean_score, "
            "AVG(n_tokens) AS mean_tokens FROM pool GROUP BY partition"
        ):
            by_key.setdefault(row.pop("partition"), {}).update(row)
    for row in session.rows(f"SELECT partition, COUNT(*) AS n FROM {PUBLISHED} GROUP BY partition"):
        by_key.setdefault(row["partition"], {})[PUBLISHED] = row["n"]
    keys = sorted(by_key)
    return {
        "total": len(keys),
        "unpublished": [key for key in keys if not by_key[key].get(PUBLISHED)][:50],
        "n_unpublished": sum(not by_key[key].get(PUBLISHED) for key in keys),
        "listed": [
            {
                "partition": key,
                **{name: by_key[key].get(name, 0) for name in (ARRIVED, KEPT, SCORED, PUBLISHED)},
                "mean_score": by_key[key].get("mean_score"),
                "mean_tokens": by_key[key].get("mean_tokens"),
            }
            for key in keys[-_PARTITIONS:]
        ],
    }
