"""What of a recipe decides the rows of each stage, and how the stages are described: functions that the graph names."""

from __future__ import annotations

from typing import Any

from winnowry.operators.base import Operator
from winnowry.recipe.fingerprint import key_columns
from winnowry.recipe.model import Recipe


def sources(recipe: Recipe, spec: dict[str, Any]) -> dict[str, Any]:
    """The sources, as far as they decide what `raw` holds."""
    # What is carried on lies in `meta` whether it is carried or not.
    sources = [{**source, "fields": _without_carry(source["fields"])} for source in spec["sources"]]
    return {"sources": sources, "max_record_bytes": spec["limits"]["max_record_bytes"]}


def _without_carry(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "carry"}


def landing_gate(recipe: Recipe, gates: dict[str, Any]) -> dict[str, Any]:
    """The gate of ``landing``, with the limit that it takes from ``raw``; nothing where all is as by default."""
    own: dict[str, Any] = gates.get("landing", {})
    limit = recipe.gates.max_refused_fraction
    return own if limit is None else {**own, "max_quarantined_fraction": limit}


def cleaning(recipe: Recipe, spec: dict[str, Any]) -> dict[str, Any]:
    """The operators of `clean`, with everything that changes what they write."""
    columns = [operator.fingerprint() for operator in recipe.cleaning]
    return {"clean": columns, "max_error_fraction": spec["limits"]["max_error_fraction"]}


def deduplication(recipe: Recipe, spec: dict[str, Any]) -> dict[str, Any]:
    """The operators that decide which records are duplicates."""
    return {"clean": [operator for operator in spec["clean"] if operator["op"].startswith("dedup.")]}


def scoring(recipe: Recipe, spec: dict[str, Any]) -> dict[str, Any]:
    """The operators of `score`, and the score that is drawn by."""
    return {"score": spec["score"], "by": (spec["sample"] or {}).get("by")}


def publishing(recipe: Recipe, spec: dict[str, Any]) -> dict[str, Any]:
    """The tag, and which columns a release has."""
    # Only which columns there are: what is in them is an input, so that a moved threshold rewrites no kept text.
    written = {column.name for operator in (*recipe.cleaning, *recipe.score) for column in operator.writes()}
    drawn = {"repeats"} if recipe.sample is not None and recipe.sample.epochs else set()
    return {"publish": spec["publish"], "columns": sorted(written - key_columns(recipe) | drawn)}


def listed(operators: tuple[Operator, ...]) -> str:
    """Operators by name, as people read them."""
    return ", ".join(operator.op for operator in operators)


def drawn(recipe: Recipe) -> str:
    """How records are drawn, as people read it."""
    sample = recipe.sample
    return f"{sample.method} by {sample.by}, seed {sample.seed}" if sample is not None else ""


def compared(recipe: Recipe) -> bool:
    """Whether the recipe asks for a comparison."""
    return recipe.comparison is not None


def leaves_raw(recipe: Recipe) -> bool:
    """Whether the recipe has stages after `raw`."""
    return recipe.leaves_raw


def has_releases(recipe: Recipe) -> bool:
    """Whether the recipe makes releases."""
    return recipe.has_releases
