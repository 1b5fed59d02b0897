from __future__ import annotations

import pytest
from pydantic import ValidationError

from winnowry.sampling.spec import SampleSpec


def test_a_specification_needs_only_a_score_and_a_budget() -> None:
    spec = SampleSpec(by="gc", token_fraction=0.2)
    assert (spec.method, spec.hard_fraction, spec.mode, spec.seed, spec.strata) == ("cdf", 0.4, "exact", 0, ())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "gc"}, "exactly one of fraction, budget, token_fraction and tokens (got none)"),
        (
            {"by": "gc", "token_fraction": 0.2, "tokens": 10},
            "exactly one of fraction, budget, token_fraction and tokens (got token_fraction and tokens)",
        ),
        ({"token_fraction": 0.2}, "method cdf needs by"),
        ({"method": "uniform", "by": "gc", "tokens": 5}, "method uniform looks at no score"),
        ({"method": "threshold", "by": "gc", "tokens": 5}, "method threshold needs threshold"),
        ({"method": "temperature", "by": "gc", "tokens": 5}, "method temperature needs temperature"),
        ({"by": "gc", "tokens": 5, "threshold": 0.5}, "threshold is only used by method threshold, not cdf"),
        ({"method": "top_k", "by": "gc", "tokens": 5, "hard_fraction": 0.1}, "hard_fraction is only used by method"),
        ({"method": "top_k", "by": "gc", "tokens": 5, "mode": "paper"}, "mode paper is only defined for method cdf"),
        ({"by": "gc", "tokens": 5, "strata": ["source", "source"]}, "strata names a column twice"),
        ({"by": "gc", "token_fraction": 1.5}, "less than or equal to 1"),
        ({"by": "gc", "token_fraction": 0}, "greater than 0"),
        ({"by": "gc", "tokens": 5, "hard_fractoin": 0.1}, "hard_fractoin"),
    ],
)
def test_a_contradictory_specification_is_refused_with_what_to_do(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        SampleSpec.model_validate(given)
    assert message in str(error.value)


def test_every_field_is_described_for_the_recipe_schema() -> None:
    undescribed = [name for name, field in SampleSpec.model_fields.items() if not field.description]
    assert undescribed == []


def test_the_budget_is_rounded_down_as_in_the_released_code_and_never_exceeds_the_corpus() -> None:
    assert SampleSpec(by="gc", token_fraction=0.2).budget_of(999) == 199
    assert SampleSpec(by="gc", tokens=500).budget_of(300) == 300


def test_the_fingerprint_changes_with_every_parameter_but_not_with_those_added_later() -> None:
    base = SampleSpec(by="gc", token_fraction=0.2, strata=("source",))
    assert base.fingerprint() == {
        "method": "cdf", "by": "gc", "token_fraction": 0.2, "tokens": None, "hard_fraction": 0.4, "mode": "exact",
        "seed": 0, "strata": ["source"], "threshold": None, "temperature": None, "version": 1,
    }  # fmt: skip
    changes = {
        "seed": 1, "prefer": "lowest", "quotas": {"a": 0.5}, "weights": {"a": 2.0}, "epochs": {"a": 2.0},
        "method": "length_matched", "match": "top_k",
    }  # fmt: skip
    prints = [repr(base.model_copy(update={name: value}).fingerprint()) for name, value in changes.items()]
    assert len({repr(base.fingerprint()), *prints}) == len(changes) + 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quotas": {"a": 0.5}}, "quotas need strata"),
        ({"strata": ("s",), "quotas": {"a": 0.5, "b": 0.6}}, "quotas add up to 1.1"),
        ({"strata": ("s",), "quotas": {"a": {"at_least": 0.5, "at_most": 0.2}}}, "at_least 0.5 is above at_most 0.2"),
        ({"strata": ("s",), "epochs": {"a": 0.5}}, "greater than or equal to 1"),
        ({"strata": ("s",), "weights": {"a": 2}, "mode": "paper"}, "mode paper has no weights"),
        ({"match": "cdf"}, "match is only used by method length_matched"),
        ({"method": "uniform", "by": None, "prefer": "lowest"}, "prefer needs by"),
        ({"method": "length_matched", "match": "top_k", "hard_fraction": 0.1}, "hard_fraction is only used"),
    ],
)
def test_a_contradictory_mixture_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate({"by": "gc", "tokens": 5, **given})
