"""Whether a judge can be trusted: numbers that gates decide by. Pure arithmetic."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from winnowry.judging.answers import UNREADABLE

_Z95 = 1.959963984540054

Scores = npt.NDArray[np.float64]


class Share(NamedTuple):
    """A share of n with its 95 % interval after Wilson (1927).

    Attributes:
        value: NaN where n is 0.
        low: 0 where n is 0.
        high: 1 where n is 0.
    """

    value: float
    low: float
    high: float
    n: int


def share(hits: int, n: int, z: float = _Z95) -> Share:
    """A share with its interval.

    >>> tuple(round(value, 4) for value in share(81, 263)[1:3])
    (0.2553, 0.3662)

    Source: Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    """
    if n == 0:
        return Share(math.nan, 0.0, 1.0, 0)
    p, zz = hits / n, z * z
    centre = (p + zz / (2 * n)) / (1 + zz / n)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
    # At either end the bound is that end, which rounding misses.
    return Share(p, 0.0 if hits == 0 else max(centre - half, 0.0), 1.0 if hits == n else min(centre + half, 1.0), n)


def accuracy(judged: Mapping[tuple[str, str], str | None], anchors: Mapping[tuple[str, str], str]) -> Share:
    """How often a judge says what the anchors say.

    A verdict that is missing is none that is right: a judge that leaves out what is hard would else pass.

    Args:
        judged: label by (record id, criterion id); None where there is none.
        anchors: the right labels.
    """
    return share(sum(judged.get(key) == label for key, label in anchors.items()), len(anchors))


def alpha(values: Scores, metric: Literal["nominal", "interval"]) -> float:
    """Krippendorff's α: 1 is agreement, 0 is chance. Use ``interval`` where there are three tiers or more.

    Args:
        values: shape (units, judgements); NaN where one is missing. Units with fewer than two are left out.
        metric: how far apart two values are: ``nominal``: 0 or 1; ``interval``: the square of their difference.

    Returns:
        NaN where no unit has two values; 1 where all values are the same one.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
    """
    values = np.asarray(values, np.float64)
    known = ~np.isnan(values)
    values, known = values[known.sum(axis=1) >= 2], known[known.sum(axis=1) >= 2]
    levels = np.unique(values[known])
    if not len(levels):
        return math.nan
    counts = np.stack([(values == level).sum(axis=1) for level in levels], axis=1).astype(np.float64)
    of_unit = counts.sum(axis=1)
    coincidences = (counts / (of_unit - 1)[:, None]).T @ counts - np.diag((counts / (of_unit - 1)[:, None]).sum(axis=0))
    apart = levels[:, None] - levels[None, :]
    distance = apart**2 if metric == "interval" else (apart != 0).astype(np.float64)
    totals = coincidences.sum(axis=1)
    expected = float((np.outer(totals, totals) * distance).sum() / (totals.sum() - 1))
    return 1.0 if expected == 0 else 1.0 - float((coincidences * distance).sum()) / expected


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Cohen's κ of two judgements of the same n answers; for two tiers.

    Returns:
        NaN where n is 0; 1 where both say one and the same label always.

    Source: Cohen 1960, Educational and Psychological Measurement 20.
    """
    n = len(first)
    if n == 0:
        return math.nan
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / n
    one, other = Counter(first), Counter(second)
    by_chance = sum(one[label] * other[label] for label in one) / (n * n)
    return 1.0 if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


class PositionBias(NamedTuple):
    """What the order of labels does to verdicts.

    Attributes:
        flips: share of answers whose verdict changes with the order.
        toward_first: mean score with the best label first less that with the worst first, −1 to 1: above 0 a judge
            favours what is offered first, below 0 what is offered last. NaN where nothing was judged in both orders.
    """

    flips: Share
    toward_first: float


def position_bias(pairs: Sequence[tuple[float, float]]) -> PositionBias:
    """Bias of answers that were judged in both orders.

    Args:
        pairs: scores with the worst label first (``ab``), and with the best first (``ba``).
    """
    flips = share(sum(one != other for one, other in pairs), len(pairs))
    toward = sum(other - one for one, other in pairs) / len(pairs) if pairs else math.nan
    return PositionBias(flips, toward)


def entropy(counts: Mapping[str, int], n_tiers: int) -> float:
    """How evenly tiers are given, 0 to 1: 0 is a judge that always says the same, 1 one that gives all alike.

    Returns:
        NaN where nothing was judged.

    >>> entropy({"yes": 40}, 2), entropy({"yes": 20, "no": 20}, 2)
    (0.0, 1.0)
    """
    total = sum(counts.values())
    if total == 0:
        return math.nan
    shares = [n / total for n in counts.values() if n]
    return abs(sum(p * math.log(p) for p in shares)) / math.log(n_tiers)


class Rates(NamedTuple):
    """What came of n questions.

    Attributes:
        unreadable: answers that are none, see :data:`~winnowry.judging.answers.UNREADABLE`.
        refused: by the judge or by a filter.
        undecided: all without a verdict, whatever the reason.
    """

    unreadable: Share
    refused: Share
    undecided: Share


def rates(errors: Iterable[str | None]) -> Rates:
    """Rates of questions by their errors; None where there is a verdict."""
    counts = Counter(errors)
    n = sum(counts.values())
    refused = counts["refusal"] + counts["content_filter"]
    return Rates(
        share(sum(counts[reason] for reason in UNREADABLE), n), share(refused, n), share(n - counts[None], n)
    )  # fmt: skip


def veto_rate(vetoed_by: Iterable[str | None]) -> Share:
    """Share of answers that a criterion has vetoed."""
    known = list(vetoed_by)
    return share(sum(name is not None for name in known), len(known))


class Trust(NamedTuple):
    """Numbers of one judge, by the hash that has in it what was served.

    Attributes:
        judge_hash: of the judge.
        accuracy: against the anchors; None where there are none.
        alpha: of repeats, by criterion: interval α for three tiers or more.
        kappa: of the first two repeats, by criterion of two tiers.
        bias: of both orders, over all criteria.
        entropy: by criterion.
        rates: of all questions.
    """

    judge_hash: str
    accuracy: Share | None
    alpha: dict[str, float]
    kappa: dict[str, float]
    bias: PositionBias
    entropy: dict[str, float]
    rates: Rates


def trust(
    rows: Iterable[Mapping[str, Any]],
    labels: Mapping[str, Sequence[str]],
    anchors: Mapping[tuple[str, str], str] | None = None,
) -> list[Trust]:
    """Numbers of every judge in rows of ``judgements``.

    Args:
        rows: the row that counts of each key, see :meth:`~winnowry.judging.store.Store.rows`.
        labels: of each criterion, worst first.
        anchors: right labels by (record id, criterion id).
    """
    by_judge: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_judge[row["judge_hash"]].append(row)
    return [_trust(name, judged, labels, anchors) for name, judged in sorted(by_judge.items())]


def _trust(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Sequence[str]],
    anchors: Mapping[tuple[str, str], str] | None,
) -> Trust:
    first: dict[tuple[str, str], str | None] = {}
    repeats: dict[str, dict[str, dict[int, tuple[str, float]]]] = defaultdict(lambda: defaultdict(dict))
    orders: dict[tuple[str, str, int], dict[str, float]] = defaultdict(dict)
    tiers: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        record, criterion, tier, repeat = row["record_id"], row["criterion_id"], row["tier"], row["repeat"]
        if repeat == 0 and row["order"] == "ab":
            first[record, criterion] = tier
        if tier is None:
            continue
        tiers[criterion][tier] += 1
        orders[record, criterion, repeat][row["order"]] = row["score"]
        if row["order"] == "ab":
            repeats[criterion][record][repeat] = tier, row["score"]
    pairs = [(scores["ab"], scores["ba"]) for scores in orders.values() if len(scores) == 2]
    of_alpha, of_kappa = {}, {}
    for criterion, by_record in sorted(repeats.items()):
        several = [judged for judged in by_record.values() if len(judged) > 1]
        if not several:
            continue
        if len(labels[criterion]) > 2:
            of_alpha[criterion] = alpha(_matrix(several), "interval")
        else:
            both = [(judged[0][0], judged[1][0]) for judged in several if 0 in judged and 1 in judged]
            of_kappa[criterion] = kappa([one for one, _ in both], [other for _, other in both])
    return Trust(
        name,
        accuracy(first, anchors) if anchors is not None else None,
        of_alpha,
        of_kappa,
        position_bias(pairs),
        {criterion: entropy(counts, len(labels[criterion])) for criterion, counts in sorted(tiers.items())},
        rates(row["error"] for row in rows),
    )


def _matrix(several: Sequence[Mapping[int, tuple[str, float]]]) -> Scores:
    width = 1 + max(max(judged) for judged in several)
    matrix = np.full((len(several), width), np.nan)
    for at, judged in enumerate(several):
        for repeat, (_, score) in judged.items():
            matrix[at, repeat] = score
    return matrix
