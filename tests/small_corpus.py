"""A small corpus made here: English sentences from a seeded grammar, with every fate a record can have planted."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path

_SUBJECTS = [
    "The service",
    "A client",
    "Each request",
    "The operator",
    "This parameter",
    "An administrator",
    "The table",
]
_VERBS = ["returns", "describes", "modifies", "lists", "creates", "removes", "validates", "records"]
_OBJECTS = ["a resource", "the configuration of an account", "every tag", "an encrypted volume", "the version"]
_TAILS = ["when it is called", "before the deadline", "because the caller asked", "unless a policy forbids it",
          "after the previous step has ended", "in the same region", "with the given identifier"]  # fmt: skip


def sentence(rng: random.Random) -> str:
    """One English sentence."""
    return f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)} {rng.choice(_TAILS)}."


def page(rng: random.Random, n_sentences: int) -> str:
    """One HTML page with a heading and paragraphs."""
    body = "".join(f"<p>{sentence(rng)} {sentence(rng)}</p>" for _ in range(max(1, n_sentences // 2)))
    return f"<html><head><title>t</title></head><body><main><h1>{sentence(rng)}</h1>{body}</main></body></html>"


@dataclass(frozen=True)
class Planted:
    """What was written: what a right run must find."""

    n_records: int
    n_unreadable: int
    n_short: int
    n_foreign: int
    n_duplicates: int
    years: tuple[str, ...]


def land(
    root: Path, *, years: tuple[str, ...] = ("2019", "2020", "2021"), per_year: int = 60, seed: int = 1
) -> Planted:
    """Write ``landing/small/<year>.jsonl.gz`` below a root.

    Each year holds ``per_year`` good pages, three too short ones, two in German, and one line that is not JSON; every
    year but the first repeats five pages of the year before it under other ids.
    """
    folder = root / "landing" / "small"
    folder.mkdir(parents=True, exist_ok=True)
    before: list[str] = []
    n = duplicates = 0
    for year in years:
        rng = random.Random(f"{seed}-{year}")
        lines: list[bytes] = []
        pages = [page(rng, rng.randrange(10, 30)) for _ in range(per_year)]
        for index, html in enumerate(pages):
            lines.append(_line(f"{year}-{index}", html, year))
        for index, html in enumerate(before[:5]):
            lines.append(_line(f"{year}-copy-{index}", html, year))
            duplicates += 1
        for index in range(3):
            lines.append(_line(f"{year}-short-{index}", f"<html><body><p>{sentence(rng)}</p></body></html>", year))
        for index in range(2):
            german = (
                "Der Dienst gibt eine Ressource zurück, wenn er aufgerufen wird, und beschreibt die Einstellungen. " * 6
            )
            lines.append(_line(f"{year}-de-{index}", f"<html><body><p>{german}{index}</p></body></html>", year))
        lines.insert(7, b'{"id": "broken", "html": "no end')
        n += len(lines)
        (folder / f"{year}.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
        before = pages
    return Planted(n, len(years), 3 * len(years), 2 * len(years), duplicates, years)


def _line(identity: str, html: str, year: str) -> bytes:
    return json.dumps({"id": identity, "html": html, "api_version": f"{year}-05-01"}).encode()


RECIPE = """\
version: 1
corpus: small
description: pages made by a grammar
sources:
  - {name: pages, uri: "landing/small/*.jsonl.gz", format: jsonl, license: CC0-1.0,
     fields: {id: id, text: html, event_time: api_version}, partition: {by: event_time, every: year}}
clean:
  - {op: text.extract_html}
  - {op: text.normalize_unicode}
  - {op: text.language, keep: [en], min_score: 0.5}
  - {op: text.length, min_words: 40}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
  - {op: score.grammatical_complexity, as: gc}
sample: {method: cdf, by: gc, token_fraction: 0.3, seed: 7}
publish: {tag: prod}
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write the recipe and return its path."""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path
