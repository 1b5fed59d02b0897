"""Records with columns of their own, whose kind and format an installed package brings, from files to a release."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import winnowry as wn
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import RecipeError
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators import registry as operators
from winnowry.records import kinds
from winnowry.sources import registry as sources

MODULE = '''
"""Games of a board game: who moved where, and how long it took."""

import json
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from winnowry.operators.base import Operator, Rule
from winnowry.records.kinds import Kind
from winnowry.sources.base import Record, SourceFormat, unreadable

MOVE = pa.struct([("by", pa.string()), ("to", pa.string()), ("seconds", pa.float64())])
MOVES = pa.field("moves", pa.list_(MOVE), metadata={"description": "Moves as the players wrote them"})
GAME = Kind("game", "structured", "moves", "n_moves", lambda row: row.get("text") or "",
            columns=(MOVES, pa.field("clock", pa.list_(pa.float64())), pa.field("n_moves", pa.int64())))


class Games(SourceFormat):
    """A game a line."""

    name: ClassVar[str] = "games"
    payload_kind: ClassVar[Literal["text", "blob", "structured"]] = "structured"

    @property
    def record_kind(self):
        return GAME.name

    def read(self, stream, uri, limits):
        for position, line in enumerate(stream.read().splitlines()):
            data = json.loads(line)
            moves = data.pop("moves", None)
            if not isinstance(moves, list):
                yield unreadable(position, "source.games", "no_moves", line)
                continue
            timed = [{"by": by, "to": to} | ({"seconds": s} if s is not None else {}) for by, to, s in moves]
            columns = {"moves": timed, "clock": np.arange(len(moves), dtype=np.float64), "n_moves": len(moves)}
            yield Record(position, data, text=" ".join(to for _, to, _ in moves) or "no move", columns=columns)


class Length(Operator):
    """Counts the moves of the first player, and writes all moves in capitals."""

    op: Literal["game.length"] = "game.length"
    min_first: int = Field(default=1, description="fewest moves of the first player")

    def reads(self):
        return pa.schema([MOVES])

    def writes(self):
        return pa.schema([MOVES, pa.field("n_first", pa.int64())])

    def rules(self):
        return (Rule(name="min_first", column="n_first", comparison=">=", threshold=self.min_first),)

    def apply(self, batch):
        games = batch.column("moves").to_pylist()
        louder = [[move | {"to": move["to"].upper()} for move in moves] for moves in games]
        n_first = [sum(move["by"] == "white" for move in moves) for moves in games]
        return pa.RecordBatch.from_arrays([pa.array(louder, MOVES.type), pa.array(n_first, pa.int64())],
                                          schema=self.writes())
'''
RECIPE = """\
version: 1
corpus: club
sources:
  - {name: games, uri: "landing/*.jsonl", format: games, fields: {id: id, carry: [event]},
     partition: {by: field, field: day}}
clean:
  - {op: game.length}
  - {op: text.length, min_words: 1}
sample: {method: uniform, budget: {moves: 7}, seed: 1}
gates: {cleaned: {min_kept_fraction: 0.3}}
"""
WHITE, BLACK = ["white", "e4", 1.5], ["black", "e5", None]
GAMES: list[dict[str, Any]] = [
    {"id": f"g{number}", "day": "mon" if number % 2 else "tue", "event": f"cup {number}", "moves": moves}
    for number, moves in enumerate([[WHITE, BLACK]] * 5 + [[BLACK]] + [[WHITE, BLACK, WHITE]] + [None])
]
"""Seven games, of which the one without a move of white is refused, and a line without moves."""


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lake's folder with games landed, where the package is installed that reads them."""
    site = tmp_path / "site"
    (site / "club-1.0.dist-info").mkdir(parents=True)
    (site / "club-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: club\nVersion: 1.0\n")
    (site / "club-1.0.dist-info/entry_points.txt").write_text(
        "[winnowry.sources]\ngames = club_games:Games\n[winnowry.kinds]\ngame = club_games:GAME\n"
        '[winnowry.operators]\n"game.length" = club_games:Length\n'
    )
    (site / "club_games.py").write_text(MODULE)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    caches = (sources._installed, operators.operators, kinds.kinds)
    for cached in caches:
        cached.cache_clear()
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/games.jsonl").write_text("".join(json.dumps(game) + "\n" for game in GAMES))
    (tmp_path / "club.yaml").write_text(RECIPE)
    yield tmp_path
    written = operators.operators()["game.length"]
    monkeypatch.undo()
    written.model_fields["op"].default = None  # the class stays in this process: let nothing else see it
    for cached in caches:
        cached.cache_clear()
    sys.modules.pop("club_games", None)


def rows(ws: Workspace, table: str, *columns: str) -> list[dict[str, Any]]:
    arrived: list[dict[str, Any]] = ws.lake.open("club", table).to_table(columns=list(columns)).to_pylist()
    return sorted(arrived, key=str)


def test_columns_of_records_reach_the_release_with_their_nulls(club: Path) -> None:
    ws, recipe = open_recipe(club, club / "club.yaml")
    run_all(ws, recipe)

    arrived = rows(ws, "raw", "payload", "moves", "clock", "n_moves", "media_type")
    assert len(arrived) == 7
    assert next(row for row in arrived if row["n_moves"] == 2) == {
        "payload": "e4 e5",
        "moves": [{"by": "white", "to": "e4", "seconds": 1.5}, {"by": "black", "to": "e5", "seconds": None}],
        "clock": [0.0, 1.0],
        "n_moves": 2,
        "media_type": "application/json",
    }
    refused = rows(ws, "quarantine", "stage", "operator", "reason", "value", "columns")
    assert [(row["stage"], row["operator"], row["reason"], row["value"]) for row in refused] == [
        ("cleaned", "game.length", "min_first", "0"),
        ("raw", "source.games", "no_moves", None),
    ]
    assert json.loads(refused[0]["columns"]).keys() == {"n_first", "event", "n_chars", "n_words"}
    cleaned = rows(ws, "cleaned", "text", "event", "n_first", "n_moves", "moves")
    assert len(cleaned) == 6
    assert all(move["to"].isupper() for row in cleaned for move in row["moves"])
    released = rows(ws, "published", "moves", "n_moves", "text", "clock")
    assert sum(row["n_moves"] for row in released) <= 7
    assert len(released) >= 3
    assert [len(row["clock"]) for row in released] == [row["n_moves"] for row in released]


def test_commands_say_true_things_of_them(club: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--root", str(club)]
    run_all(*open_recipe(club, club / "club.yaml"))
    lake = wn.open(str(club))
    first = lake.table("club.published").to_arrow().to_pylist()[0]
    assert main(["explain", first["record_id"], *root]) == 0
    answer = capsys.readouterr().out
    assert "moves" in answer
    assert main(["release", "show", "club", *root, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unit"] == "moves"
    assert lake.table("club.published").to_arrow().schema.field("moves").metadata[b"description"].startswith(b"Moves")
    for format_ in ("jsonl", "parquet"):
        out = club / f"out-{format_}"
        assert main(["export", "club", "--out", str(out), "--format", format_, *root]) == 0
    [exported] = (club / "out-jsonl").rglob("*.jsonl*")
    line = json.loads(exported.read_text().splitlines()[0])
    assert line["moves"][0].keys() == {"by", "to", "seconds"}
    [exported] = (club / "out-parquet").rglob("*.parquet")
    assert pq.read_table(exported).schema.field("moves").type.value_type.num_fields == 3


def test_a_record_whose_columns_changed_is_another_one(club: Path) -> None:
    ws, recipe = open_recipe(club, club / "club.yaml")
    run_all(ws, recipe, to="raw")
    before = {row["record_id"]: row["content_sha256"] for row in rows(ws, "raw", "record_id", "content_sha256")}
    changed = [game | {"moves": [[*WHITE[:2], 9.0], BLACK]} if game["id"] == "g0" else game for game in GAMES]
    (club / "landing/games.jsonl").write_text("".join(json.dumps(game) + "\n" for game in changed))
    run_all(ws, recipe, to="raw")
    after = {row["record_id"]: row["content_sha256"] for row in rows(ws, "raw", "record_id", "content_sha256")}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("budget: {moves: 7}", "budget: {tokens: 7}", "records of kind game are counted in moves"),
        ("{op: game.length}", "{op: score.token_count, as: clock}", "'clock' is one of winnowry's own"),
        ("carry: [event]", "carry: {clock: event}", "'clock' is a column of winnowry's tables"),
    ],
)
def test_a_recipe_that_does_not_fit_the_kind_is_refused(club: Path, old: str, new: str, message: str) -> None:
    (club / "club.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(RecipeError, match=message):
        open_recipe(club, club / "club.yaml")
