"""The fit of a score: the same statistics in one process and in several, whatever the pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.engine.local import LocalEngine, close_pools
from winnowry.stages import fit


@pytest.mark.slow
@pytest.mark.parametrize(("worth_s", "workers"), [(-1.0, 2), (1e9, 1)])
def test_statistics_do_not_depend_on_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_s: float, workers: int
) -> None:
    used: list[int] = []

    plain = LocalEngine.map

    def noted(self: LocalEngine, *arguments: Any, **how: Any) -> Any:
        used.append(self.slots)
        return plain(self, *arguments, **how)

    monkeypatch.setattr(LocalEngine, "map", noted)
    monkeypatch.setenv("WINNOWRY_WORKERS", "2")
    found = []
    for pieces in (256, 7):
        monkeypatch.setattr(fit, "_PIECE_ROWS", pieces)
        monkeypatch.setattr(fit, "_WORTH_PROCESSES_S", worth_s)
        root = tmp_path / str(pieces)
        root.mkdir()
        land(root, per_year=20)
        results = run_all(*open_recipe(root, write_recipe(root)), to="fit")
        (path,) = (root / "small" / "fits" / "gc").glob("*.json")
        found.append((json.loads(path.read_text()), results[-1].rows_in))
    assert found[0] == found[1]
    assert found[0][1] == 60
    assert used[-1] == workers  # the second corpus has more pieces than are tried first
    close_pools()
