"""The VALID² card: indicators by letter, a score a letter, and the grade."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from winnowry.evidence.valid2.consistency import annotation, fact_conflicts
from winnowry.evidence.valid2.diversity import diversity
from winnowry.evidence.valid2.indicators import Setting, judged, unmeasured
from winnowry.evidence.valid2.media import media_indicators
from winnowry.evidence.valid2.texts import text_indicators
from winnowry.evidence.valid2.variety import embedded
from winnowry.evidence.valid2.whole import authenticity, counts, integrity, large_sample, vitality
from winnowry.reading.session import Tables, session
from winnowry.recipe.valid2 import INDICATORS, LETTERS, Valid2Gate
from winnowry.stages.graph import ARRIVED, LEFT_OUT, PUBLISHED

if TYPE_CHECKING:
    from winnowry.core.ids import PromotionId
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe

_READ = (ARRIVED, LEFT_OUT, "quarantine")


def release_card(ws: Workspace, recipe: Recipe, candidate: TableView, promotion: PromotionId) -> dict[str, Any]:
    """The card of a release that is about to be promoted.

    Args:
        ws: the lake.
        recipe: the corpus; its gate of ``published`` sets thresholds, else the presets do.
        candidate: ``published`` as it will be.
        promotion: its promotion, whose id says when it was made.

    Returns:
        What :func:`make_card` gives, and ``gated``, ``blocks`` (letters), ``owner`` and ``description``.
    """
    return card_at(ws, recipe, candidate, *snapshot(asked_of(recipe), promotion))


def asked_of(recipe: Recipe) -> Valid2Gate:
    """What the recipe asks for; presets where it says nothing."""
    return recipe.gates.published.valid2 or Valid2Gate()


def card_at(ws: Workspace, recipe: Recipe, published: TableView, as_of: datetime, as_of_from: str) -> dict[str, Any]:
    """The card of a version of ``published``, as :func:`release_card` gives it, at any snapshot."""
    gate = recipe.gates.published.valid2
    present = ws.lake.tables(recipe.corpus)
    views = {name: ws.lake.open(recipe.corpus, name) for name in _READ if name in present}
    operators = frozenset(operator.op for operator in (*recipe.clean, *recipe.score))
    strata = recipe.sample.strata if recipe.sample is not None else ()
    setting = Setting(as_of, as_of_from, operators, tuple(strata), recipe.kind)
    tables = Tables(views={**views, PUBLISHED: published}, records={})
    card = make_card(tables, asked_of(recipe), setting, required=gate is not None)
    return {
        **card,
        "gated": gate is not None,
        "blocks": list(gate.blocks) if gate is not None else [],
        "owner": recipe.owner,
        "description": recipe.description,
    }


def snapshot(gate: Valid2Gate, promotion: PromotionId) -> tuple[datetime, str]:
    """Until when records may be dated: the end of the recipe's day, else the moment that the promotion's id says.

    >>> snapshot(Valid2Gate(as_of="2026-01-02"), "")[0].isoformat()
    '2026-01-03T00:00:00+00:00'
    """
    if gate.as_of is not None:
        return end_of(gate.as_of), "recipe"
    return datetime.fromtimestamp(int(promotion[:12], 16) / 1000, UTC), "release"


def end_of(day: date) -> datetime:
    """Midnight after a day, UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def make_card(tables: Tables, gate: Valid2Gate, setting: Setting, *, required: bool = True) -> dict[str, Any]:
    """Measure a release, in bounded memory; of the texts a sample is read.

    Args:
        tables: ``published`` and, where they are, ``raw``, ``duplicates`` and ``quarantine``.
        gate: thresholds.
        setting: snapshot and recipe.
        required: whether the recipe asks for the thresholds; else they are presets that nobody chose, and nothing
            passes or fails.

    Returns:
        JSON-able: ``as_of``, ``domain``, ``consumer``, ``rows``, ``tokens``, ``letters`` (each with ``score``, the
        lowest of its indicators, ``passed`` and ``indicators``; score is None where nothing of it could be judged,
        passed also where nothing is required) and ``grade`` (see :func:`grade`). Rates are 0 to 1.
    """
    with session(tables) as database:
        totals = counts(database)
        if totals.rows:
            measured = {
                **vitality(database, gate, setting, totals),
                **authenticity(database, gate, totals),
                **annotation(database, gate, totals),
                **fact_conflicts(database, gate),
                **integrity(database, gate, totals),
                **diversity(database, gate, setting, totals),
                **text_indicators(database, gate, setting, totals),
                **media_indicators(database, gate, setting, totals),
                **embedded(database, gate, totals),
            }
        else:
            measured = {name: unmeasured("the release holds no record") for name in INDICATORS}
        measured |= large_sample(database, gate, setting, totals, measured)
        indicators = list(judged(measured, gate, required=required))
    letters: list[dict[str, Any]] = []
    for letter in LETTERS:
        own = [indicator for indicator in indicators if indicator["letter"] == letter]
        scores = [indicator["score"] for indicator in own if indicator["score"] is not None]
        lowest = min(scores, default=None)
        letters.append({
            "letter": letter, "score": lowest, "passed": None if lowest is None or not required else lowest == 1,
            "indicators": own,
        })  # fmt: skip
    fresh, half_life = gate.freshness()
    return {
        "as_of": setting.as_of.isoformat(),
        "as_of_from": setting.as_of_from,
        "domain": gate.domain,
        "consumer": gate.consumer,
        "fresh_days": fresh,
        "half_life_days": half_life,
        "rows": totals.rows,
        "tokens": totals.tokens,
        "declared_synthetic_share": gate.synthetic_share,
        "letters": letters,
        "grade": grade([(letter["letter"], letter["score"]) for letter in letters]),
    }


def grade(scores: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    """The worst letter, and the geometric mean, in which no letter can make up for one that is 0.

    Args:
        scores: by letter; None where nothing of it could be judged.

    Returns:
        ``worst`` (letter), ``score`` (its score), ``geometric_mean``, ``unmeasured`` (letters without a score, which
        are in neither number); None where no letter has a score.

    >>> grade([("vitality", 1.0), ("density", 0.25), ("diversity", None)])
    {'worst': 'density', 'score': 0.25, 'geometric_mean': 0.5, 'unmeasured': ['diversity']}
    """
    known = [(letter, value) for letter, value in scores if value is not None]
    worst, lowest = min(known, key=lambda item: item[1], default=(None, None))
    mean = None
    if known:
        mean = math.exp(sum(math.log(value) for _, value in known) / len(known)) if lowest else 0.0
    return {
        "worst": worst,
        "score": lowest,
        "geometric_mean": mean,
        "unmeasured": [letter for letter, value in scores if value is None],
    }


def letter_scores(card: dict[str, Any]) -> dict[str, float]:
    """Scores by name, as plots over releases want them; letters without one are left out."""
    scores = {f"valid2_{item['letter']}": item["score"] for item in card["letters"] if item["score"] is not None}
    if card["grade"]["geometric_mean"] is not None:
        scores["valid2_geometric_mean"] = card["grade"]["geometric_mean"]
    return scores
