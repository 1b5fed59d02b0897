"""Why records left a release, how its mix and scores moved, and which gates changed their mind."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.walk import open_recipe, run_all
from winnowry.releases.releases import ReleaseDiff, release_diff

RECIPE = """\
version: 1
corpus: moved
sources:
  - {name: long, uri: "landing/long/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
  - {name: short, uri: "landing/short/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
clean:
  - {op: text.length, min_words: 3}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
  - {op: score.grammatical_complexity, as: gc}
sample: {method: uniform, token_fraction: 1.0, seed: 3}
"""


def land(root: Path, name: str, texts: list[str]) -> None:
    folder = root / "landing" / name
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"{name}-{i}", "date": "2020-01-01", "text": text} for i, text in enumerate(texts)]
    (folder / "part.jsonl").write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture(scope="module")
def difference(tmp_path_factory: pytest.TempPathFactory) -> ReleaseDiff:
    root = tmp_path_factory.mktemp("moved")
    words = "The dog of the farmer sleeps while rain falls on page"
    land(root, "long", [f"{words} {i}." for i in range(30)])
    land(root, "short", [f"Note {i} is brief." for i in range(10)])
    path = root / "moved.yaml"
    path.write_text(RECIPE)
    run_all(*open_recipe(root, path))
    # Five texts become copies of the first, and a stricter rule rejects every short one.
    land(root, "long", [f"{words} {max(i, 5) if i > 5 or i == 0 else 0}." if i else f"{words} 0." for i in range(30)])
    path.write_text(RECIPE.replace("min_words: 3", "min_words: 8"))
    ws, recipe = open_recipe(root, path)
    run_all(ws, recipe)
    return release_diff(ws, "moved", "v1", "v2")


def test_every_record_that_left_has_its_reason(difference: ReleaseDiff) -> None:
    assert difference.removed == 15
    assert sum(difference.removed_reasons.values()) == difference.removed
    assert difference.removed_reasons["duplicate"] == 5
    ((rejected, count),) = [item for item in difference.removed_reasons.items() if item[0].startswith("rejected: ")]
    assert count == 10
    assert "word" in rejected


def test_the_mix_and_the_scores_are_those_of_both_releases(difference: ReleaseDiff) -> None:
    rows = {source.source: (source.rows_old, source.rows_new) for source in difference.sources}
    assert rows == {"long": (30, 25), "short": (10, 0)}
    (score,) = [score for score in difference.scores if score.column == "gc_sent_len"]
    # Sentences of 11 runs of letters and of 3: the logarithm of the mean length.
    assert score.mean_old == pytest.approx((30 * math.log(11) + 10 * math.log(3)) / 40)
    assert score.mean_new == pytest.approx(math.log(11))
    assert score.median_new == pytest.approx(math.log(11))
