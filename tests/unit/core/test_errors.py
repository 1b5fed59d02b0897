"""Errors know their place, and the JSON of a failure says it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import jsonschema
import pytest

from winnowry.cli.failure import failure_document
from winnowry.core.errors import DataError, PromotionConflictError, RecipeError, UsageError, WinnowryError, placed

SCHEMA = Path(__file__).parents[3] / "docs/reference/json/error.schema.json"


def test_an_error_without_a_place_is_reported_as_before() -> None:
    assert failure_document(UsageError("no such stage")) == {
        "error": {"type": "UsageError", "message": "no such stage", "problems": ["no such stage"]}
    }
    assert failure_document(RecipeError(("a", "b"))) == {
        "error": {"type": "RecipeError", "message": "a\nb", "problems": ["a", "b"]}
    }


def test_the_place_is_added_to_the_json_where_it_is_known() -> None:
    error = PromotionConflictError("rival", stage="cleaned", table="cleaned", partition="2024")
    assert failure_document(error) == {
        "error": {
            "type": "PromotionConflictError",
            "message": "rival",
            "problems": ["rival"],
            "stage": "cleaned",
            "table": "cleaned",
            "partition": "2024",
        }
    }
    assert str(error) == "rival"


def test_an_error_that_passes_learns_what_it_does_not_know_and_keeps_what_it_does() -> None:
    with pytest.raises(DataError) as caught, placed(stage="scored", table="scored", partition="2024"):
        raise DataError("no text", table="cleaned")
    assert caught.value.place == {"stage": "scored", "table": "cleaned", "partition": "2024"}


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ValueError, match="other"), placed(stage="scored"):
        raise ValueError("other")


def test_the_place_survives_the_way_from_a_worker() -> None:
    error = pickle.loads(pickle.dumps(DataError("no text", stage="scored", partition="2024")))
    assert (str(error), error.place) == ("no text", {"stage": "scored", "partition": "2024"})


@pytest.mark.parametrize(
    "error",
    [UsageError("x"), RecipeError(("a", "b")), DataError("x", stage="scored", table="scored", partition="2024")],
    ids=["plain", "recipe", "placed"],
)
def test_the_json_of_a_failure_is_what_the_schema_says(error: WinnowryError) -> None:
    jsonschema.validate(failure_document(error), json.loads(SCHEMA.read_text(encoding="utf-8")))
