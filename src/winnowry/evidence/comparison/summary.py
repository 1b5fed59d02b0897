"""From measurements to what can be said: differences, controls, shifts, a verdict and a recommendation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from winnowry.core.outcome import Outcome
from winnowry.evidence.comparison.arms import NEGATIVE, POOL_SHARE, POSITIVE, ROLES, Arms
from winnowry.evidence.comparison.decision import RECIPE, REFERENCES, decide
from winnowry.evidence.comparison.measure import Measured
from winnowry.evidence.comparison.pool import HOLDOUT
from winnowry.evidence.comparison.proxies import describe
from winnowry.evidence.comparison.questions import beats_chance
from winnowry.evidence.comparison.statistics import Difference, mean_and_deviation, paired

Values = dict[str, list[Measured]]


def summarise(arms: Arms, measured: Sequence[Measured], token_fraction: float) -> dict[str, Any]:
    """The comparison as JSON: no NaN, numbers rounded nowhere.

    Args:
        arms: what was compared.
        measured: every measurement.
        token_fraction: budget of the arms.
    """
    by_experiment: dict[str, dict[tuple[str, float], list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(measured, key=lambda one: one.setting.seed):
        by_experiment[one.setting.experiment][one.setting.arm, one.setting.token_fraction].append(one)
    compared = {arm: measurements for (arm, _), measurements in by_experiment["arms"].items()}
    evaluations = sorted(next(iter(compared.values()))[0].bits_per_byte)
    reference = next((arm for arm in REFERENCES if arm in compared), None)
    described = [
        _arm(arms, arm, measurements, compared, reference, evaluations) for arm, measurements in compared.items()
    ]
    decides = arms.pool.target_name
    # The best first, here once: every chart and table keeps this order.
    described.sort(key=lambda arm: arm["evaluations"][decides]["mean"])
    controls = _controls(compared, decides)
    dose = _dose(by_experiment["dose"], evaluations)
    summary: dict[str, Any] = {
        "proxy": describe(arms.comparison.proxy),
        "seeds": arms.comparison.seeds,
        "draw_share": POOL_SHARE,
        "token_fraction": token_fraction,
        "budget_tokens": int(token_fraction * arms.pool.sizes[arms.part(0)].sum()),
        "reference": reference,
        "decides": decides,
        "pool": {name: value for name, value in arms.pool.facts.items() if name not in ("evaluations", "questions")},
        "evaluations": arms.pool.facts["evaluations"],
        "questions": [_questions(item, compared, reference) for item in arms.pool.facts["questions"]],
        "arms": described,
        "dose": dose,
        "attribution": _attribution(by_experiment["attribution"], compared.get(RECIPE), evaluations),
        "controls": controls,
        "training_cpu_seconds": sum(one.training_seconds for one in measured),
        "measurements": len(measured),
    }
    decision = decide(
        lambda arm, other, name: _difference(compared[other], compared[arm], name),
        tuple(compared),
        tuple(evaluations),
        decides,
        controls,
        method=arms.spec.method,
        enough=_enough(arms, by_experiment["dose"], decides),
    )
    return summary | asdict(decision)


def _arm(
    arms: Arms, arm: str, measurements: list[Measured], compared: Values, reference: str | None, evaluations: list[str]
) -> dict[str, Any]:
    against = {}
    for name in evaluations:
        own = [one.bits_per_byte[name] for one in measurements]
        mean, deviation = mean_and_deviation(own)
        entry: dict[str, Any] = {"mean": mean, "sd": deviation, "detectable": 0.0}
        if reference is not None and arm != reference:
            difference = _difference(compared[reference], measurements, name)
            entry |= {
                "difference": difference.mean,
                "error": difference.error,
                "interval": [difference.low, difference.high],
                "detectable": difference.detectable,
                "p": difference.p,
            }
        if arm == RECIPE:
            entry["against"] = {
                other: _pair(compared[other], measurements, name) for other in REFERENCES if other in compared
            }
        against[name] = entry
    return {
        "arm": arm,
        "role": ROLES.get(arm, "candidate"),
        "documents": round(_mean(measurements, "documents")),
        "tokens": round(_mean(measurements, "tokens")),
        "mean_document_tokens": _mean(measurements, "mean_document_tokens"),
        "distinct_trigram_fraction": _mean(measurements, "distinct_trigram_fraction"),
        "selection_cpu_seconds": _mean(measurements, "selection_seconds"),
        "training_cpu_seconds": _mean(measurements, "training_seconds"),
        **_shifts(arms, arm, measurements[0].setting.token_fraction),
        "evaluations": against,
    }


def _pair(reference: list[Measured], arm: list[Measured], evaluation: str) -> dict[str, float]:
    """What the gate asks for, against whichever reference it names."""
    difference = _difference(reference, arm, evaluation)
    return {"difference": difference.mean, "detectable": difference.detectable}


def _mean(measurements: list[Measured], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in measurements]))


def _difference(reference: list[Measured], arm: list[Measured], evaluation: str) -> Difference:
    values = ([one.bits_per_byte[evaluation] for one in measured] for measured in (reference, arm))
    return paired(*values, share=POOL_SHARE)


def _questions(item: Mapping[str, Any], compared: Values, reference: str | None) -> dict[str, Any]:
    """How many questions each arm answers right; arms are told apart only where at least one beats chance."""
    name = item["name"]
    own = {arm: [one.accuracy[name] for one in measurements] for arm, measurements in compared.items()}
    answers: dict[str, dict[str, Any]] = {}
    for arm, values in own.items():
        mean, deviation = mean_and_deviation(values)
        beats = beats_chance(mean, item["chance"], item["questions"])
        answers[arm] = {"mean": mean, "sd": deviation, "beats_chance": beats}
    beaten = any(one["beats_chance"] for one in answers.values())
    if beaten and reference is not None:
        for arm, values in own.items():
            if arm != reference and (answers[arm]["beats_chance"] or answers[reference]["beats_chance"]):
                gain = paired(values, own[reference], share=POOL_SHARE)  # of accuracy more is better
                answers[arm] |= {
                    "difference": gain.mean,
                    "interval": [gain.low, gain.high],
                    "detectable": gain.detectable,
                }
    return {**item, "beats_chance": beaten, "arms": answers}


def _shifts(arms: Arms, arm: str, token_fraction: float) -> dict[str, Any]:
    """How the kept documents of the first seed differ from the pool in length and in sources."""
    chosen = arms.choose(arm, 0, token_fraction)
    if len(chosen.documents) == 0 or len(chosen.from_target):
        return {"length_shift": None, "source_shift": None}
    part = arms.part(0)
    sizes, kept = np.sort(arms.pool.sizes[part]), np.sort(arms.pool.sizes[chosen.documents])
    grid = np.unique(np.concatenate([sizes, kept]))
    apart = np.searchsorted(sizes, grid, "right") / len(sizes) - np.searchsorted(kept, grid, "right") / len(kept)
    names = sorted(set(arms.pool.sources.tolist()))
    share = [abs(_share(arms, part, name) - _share(arms, chosen.documents, name)) for name in names]
    return {"length_shift": float(np.abs(apart).max()), "source_shift": float(sum(share) / 2)}


def _share(arms: Arms, documents: Any, source: str) -> float:
    sizes = arms.pool.sizes[documents]
    return float(sizes[arms.pool.sources[documents] == source].sum() / max(int(sizes.sum()), 1))


def _controls(compared: Values, decides: str) -> dict[str, Any]:
    """Whether what must win wins and what must lose loses, against random selection."""
    controls: dict[str, Any] = {}
    reasons = []
    random = compared.get("random") or compared.get("length_matched")
    if random is None:
        return {"told_apart": False, "why": "there is no arm `random` or `length_matched` to compare the controls with"}
    for control, better in ((POSITIVE, True), (NEGATIVE, False)):
        evaluation = decides if better else HOLDOUT
        difference = _difference(random, compared[control], evaluation)
        gain = difference.mean if better else -difference.mean
        verb: Outcome = "better" if better else "worse"
        apart = difference.outcome == verb
        controls[control] = {"evaluation": evaluation, **asdict(difference), "told_apart": apart}
        reasons.append(
            f"{control} is {gain:+.4f} bits per byte {verb} than random on {evaluation} "
            f"({'more' if apart else 'not more'} than the {difference.detectable:.4f} that can be detected)"
        )
    return {"told_apart": all(one["told_apart"] for one in controls.values()), "why": "; ".join(reasons), **controls}


def _dose(groups: Mapping[tuple[str, float], list[Measured]], evaluations: list[str]) -> list[dict[str, Any]]:
    points = []
    for (arm, fraction), measured in sorted(groups.items()):
        means = {}
        for name in evaluations:
            mean, deviation = mean_and_deviation([one.bits_per_byte[name] for one in measured])
            means[name] = {"mean": mean, "sd": deviation}
        tokens = round(_mean(measured, "tokens"))
        points.append({"arm": arm, "token_fraction": fraction, "tokens": tokens, "evaluations": means})
    return points


def _attribution(
    groups: Mapping[tuple[str, float], list[Measured]], recipe: list[Measured] | None, evaluations: list[str]
) -> list[dict[str, Any]]:
    """What leaving something out costs: positive where the selection is worse without it."""
    if recipe is None:
        return []
    rows = []
    for (left_out, _), measured in groups.items():
        costs = {name: asdict(_difference(measured, recipe, name)) for name in evaluations}
        kind, _, name = left_out.partition(":")
        rows.append({"kind": kind.removeprefix("without_"), "left_out": name, "evaluations": costs})
    return rows


def _enough(arms: Arms, dose: Mapping[tuple[str, float], list[Measured]], decides: str) -> float | None:
    """The smallest share of tokens of the recipe's selection that is no worse than all of them, if it is a change."""
    points = {fraction: measured for (arm, fraction), measured in dose.items() if arm == RECIPE}
    whole = points.get(1.0)
    now = arms.comparison.token_fraction or arms.spec.size_fraction
    if whole is None or now is None:
        return None
    smallest = min(fraction for fraction, measured in points.items()
                   if _difference(whole, measured, decides).mean >= 0)  # fmt: skip
    return smallest if smallest not in (now, 1.0) else None
