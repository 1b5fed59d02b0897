"""Several answers to one image: pairs by overlap, F1 of boxes, kappa of classes, annotators against planted gold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.label_files import batch, box, labelled
from winnowry.operators.labels.agreement import LabelAgreement, kappa


def other(
    *boxes: dict[str, Any], role: str = "annotator", annotator: str = "8", state: str | None = None
) -> dict[str, Any]:
    return {
        "annotator": annotator, "role": role, "state": state or ("labelled" if boxes else "background"),
        "boxes": list(boxes),
    }  # fmt: skip


def compared(*boxes: dict[str, Any], others: list[dict[str, Any]], **columns: Any) -> dict[str, Any]:
    row: dict[str, Any] = LabelAgreement().apply(batch(labelled(*boxes, others=others, **columns))).to_pylist()[0]
    return row


def test_two_annotators_agree_on_one_box_and_one_has_another() -> None:
    row = compared(box(20, 10, 60, 30), others=[other(box(22, 10, 62, 30), box(120, 60, 140, 70, "dog"))])
    (answer,) = row["answers"]
    assert answer["mean_iou"] == pytest.approx(19 / 21)
    assert [answer[name] for name in ("n_matched", "n_missing", "n_extra", "n_same_class")] == [1, 0, 1, 1]
    assert row["agreement_f1"] == pytest.approx(2 / 3)
    assert (answer["against"], answer["annotator"]) == ("annotator", "8")


def test_an_annotator_is_measured_against_gold() -> None:
    gold = box(20, 10, 60, 30)
    row = compared(gold, others=[other(gold | {"class": "dog"}, annotator="7")], gold=True, annotator="9")
    (answer,) = row["answers"]
    assert (answer["against"], answer["annotator"], answer["n_matched"], answer["n_same_class"]) == ("gold", "7", 1, 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "f1"),
    [
        ([], [], 1.0),
        ([box(0, 0, 10, 10)], [], 0.0),
        ([], [box(0, 0, 10, 10)], 0.0),
        ([box(0, 0, 10, 10)], [box(0, 0, 10, 20)], 1.0),  # exactly .5
        ([box(0, 0, 10, 10)], [box(0, 0, 10, 21)], 0.0),
        ([box(0, 0, 10, 10), box(0, 0, 10, 10)], [box(0, 0, 10, 10)], 2 / 3),  # one to one
        ([box(0, 0, 10, 10, number=1)], [box(0, 0, 10, 10, number=2)], 0.0),
        ([{"class": "car"}], [{"class": "car"}], 0.0),  # no edges overlap nothing
    ],
)
def test_boxes_are_paired_once_from_half_an_overlap_on(ours: Any, theirs: Any, f1: float) -> None:
    assert compared(*ours, others=[other(*theirs)])["agreement_f1"] == pytest.approx(f1)


def test_the_greatest_overlap_is_paired_first() -> None:
    row = compared(box(0, 0, 10, 10), box(2, 0, 12, 10), others=[other(box(1.5, 0, 11.5, 10, "dog"))])
    assert row["answers"][0]["mean_iou"] == pytest.approx(9.5 / 10.5)


def test_predictions_skipped_work_and_a_single_answer_are_no_second_answer() -> None:
    boxes = box(0, 0, 10, 10)
    for others in ([], [other(boxes, role="prediction")], [other(state="skipped")]):
        row = compared(boxes, others=others)
        assert (row["answers"], row["agreement_f1"], row["agreement_kappa"]) == (None, None, None)


def test_kappa_is_cohens() -> None:
    # Cohen 1960, as a table of counts: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([]) is None
    assert kappa([("a", "a")] * 9) is None


def test_limits_are_rules_that_a_record_with_one_answer_passes() -> None:
    rows = [labelled(box(0, 0, 9, 9)), labelled(box(0, 0, 9, 9), others=[other()])]
    operator = LabelAgreement(min_f1=0.5)
    (rule,) = operator.rules()
    assert rule.keeps(operator.apply(batch(*rows)).column("agreement_f1")).to_pylist() == [True, False]
    assert LabelAgreement().rules() == ()
