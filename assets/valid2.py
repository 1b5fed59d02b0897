"""The six qualities of the live release, measured again every day: data grow old without anybody touching them."""

# No deferred annotations here: Dagster reads the types of an asset's context as they stand.
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.events import link, plain, table
from assets.keys import stage_key
from assets.stage import owners_of
from resources.lakehouse import LakehouseResource
from winnowry.core.errors import WinnowryError
from winnowry.recipe.valid2 import LETTERS
from winnowry.report.valid2 import letters, plain_value

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe
    from winnowry.report.valid2 import Indicator, Letter

_INDICATORS = ["letter", "indicator", "value", "asked for", "score", "says"]


def valid2(recipe: "Recipe") -> dg.AssetsDefinition:
    """The VALID² card of what the recipe's tag is on, as of now; a letter that fails is a warning, nothing is held."""
    key = stage_key(recipe.corpus, "valid2")

    @dg.asset(
        key=key,
        deps=[dg.AssetDep([recipe.corpus, "published"])],
        description=f"The six qualities of the release `{recipe.publish.tag}`, measured as of today: vitality, "
        "authenticity, large sample, integrity, diversity, knowledge density. The gate of `published` judges a release "
        "before it comes out; this one tells when it has grown old.",
        group_name=recipe.corpus,
        kinds={"python"},
        owners=owners_of(recipe),
        tags={"winnowry/stage": "valid2"},
        op_tags={"winnowry/corpus": recipe.corpus, "winnowry/stage": "valid2"},
        check_specs=[
            dg.AssetCheckSpec(letter, asset=key, description=f"Every judged indicator of {letter.replace('_', ' ')}.")
            for letter in LETTERS
        ],
    )
    def measure(lakehouse: LakehouseResource) -> Iterator[Any]:
        from winnowry.evidence.valid2.card import letter_scores
        from winnowry.inspect.today import card_of_today

        ws = lakehouse.open()
        try:
            card = card_of_today(ws, recipe, datetime.now(UTC))
        except WinnowryError as error:
            raise dg.Failure(str(error), metadata={"error": type(error).__name__}, allow_retries=False) from error
        judged = letters(card)
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "release": card["release"],
                "as_of": card["as_of"],
                "grade": _grade(card["grade"]),
                **letter_scores(card),
                "indicators": table(
                    (_row(indicator) for letter in judged for indicator in letter.indicators), _INDICATORS
                ),
                "page": link(_page(ws.lake.corpus_uri(recipe.corpus), card["release"]), recipe.corpus),
                "card": dg.MetadataValue.json(plain(card)),
            },
            check_results=[_check(key, letter) for letter in judged],
        )

    return measure


def _page(corpus_uri: str, release: str) -> str:
    from winnowry.releases.documents import PAGE

    return f"{corpus_uri}/releases/{release}/{PAGE}"


def _grade(grade: Mapping[str, Any]) -> str:
    if grade["score"] is None:
        return "nothing could be judged"
    return f"{grade['score']:.2f} ({grade['worst'].replace('_', ' ')})"


def _row(indicator: "Indicator") -> dict[str, object]:
    facts = indicator.facts
    return {
        "letter": facts["letter"],
        "indicator": indicator.name,
        "value": indicator.plain_value,
        "asked for": indicator.plain_bound,
        "score": plain_value(facts["score"]),
        "says": facts["why"] or facts["note"] or indicator.label,
    }


def _check(key: dg.AssetKey, letter: "Letter") -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"indicators": table(map(_row, letter.indicators), _INDICATORS)}
    examples = [{"indicator": item.name, **example} for item in letter.failing for example in item.facts["examples"]]
    if examples:
        metadata["records"] = table(examples, ["indicator", "record_id", "value"])
    for item in letter.indicators:
        if item.measured:  # numbers alone, so that the UI plots them over time
            metadata[item.name] = float(item.facts["value"])
    if letter.failing:
        description = "; ".join(
            f"{item.name} is {item.plain_value}, asked for {item.plain_bound}" for item in letter.failing
        )
    else:
        description = "holds" if letter.passed else f"{letter.verdict}; no limit of it was judged"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=letter.name,
        passed=letter.passed is not False,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
