"""What people see of a record's walk: the fate, both texts of a duplicate, and nothing that steers the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.small_lake import CORPUS, IDS, make_small_lake, publish
from winnowry.cli.explain import _items, walk_view
from winnowry.cli.output import Output
from winnowry.inspect.explain import Step, Walk, explain
from winnowry.inspect.explain_group import Twin
from winnowry.lakehouse.workspace import Workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


def shown(walk: Walk, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=140, force_terminal=terminal, color_system="standard" if terminal else None)
    Output(console=console).show(*walk_view(walk))
    return stream.getvalue()


FATES = {
    "a": ("published, in the latest release; tags that hold it: v2, prod, v1", "text of a text of a text of a"),
    "c": ("quarantined at cleaned, rejected: text.length min_words, value 7, threshold 50", "text of c text of c"),
    "d": (f"left out as a duplicate of {IDS['a']} (exact)", "text of d text of d text of d"),
    "e": ("kept and scored, but not selected: draw 0.5 at probability 0.5", "text of e text of e"),
    "f": ("quarantined at raw, rejected: source.jsonl bad_json", '{"id": '),
}


@pytest.mark.parametrize("name", FATES)
def test_every_fate_is_told_with_its_reason_and_its_text(ws: Workspace, name: str) -> None:
    verdict, text = FATES[name]
    told = shown(explain(ws, IDS[name]))
    assert f"→ {verdict}" in told
    assert text in told


def test_a_duplicate_is_shown_beside_its_twin(ws: Workspace) -> None:
    walk = explain(ws, IDS["d"])
    assert walk.twin == Twin(IDS["a"], True, "exact", 1.0, False, 0, "text of d " * 3, 30, "text of a " * 3, 30)
    told = shown(walk)
    (line,) = [line for line in told.splitlines() if "text of d text" in line and "text of a text" in line]
    assert line.index("text of d") < line.index("text of a")
    assert "words that differ are marked" in told
    assert "\x1b[1;33md\x1b[0m" in shown(walk, terminal=True)


def test_a_draw_names_the_score_it_rested_on(ws: Workspace) -> None:
    step = next(step for step in explain(ws, IDS["b"]).steps if step.table == "sampled")
    # Of a (0.9) and b (0.5) none is below b; e has no usable score.
    assert (step.values["score"], step.values["scored_below"], step.values["scored_records"]) == (0.5, 0, 2)
    assert step.outcome.endswith("stratum all; gc 0.5, above 0 % of 2 scored")
    missing = next(step for step in explain(ws, IDS["e"]).steps if step.table == "sampled")
    assert missing.values["score"] is None
    assert missing.outcome.endswith("; no usable gc")


def test_a_record_of_an_earlier_release_only_says_which(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    record = publish(ws, 3, "b")
    assert record.promoted_version is not None
    ws.lake.tag(CORPUS, "published", "v3", record.promoted_version)
    walk = explain(ws, IDS["a"])
    assert walk.releases == ("v2", "prod", "v1")
    assert walk.status == "selected"
    assert "an earlier release holds it: v2, prod, v1" in walk.verdict
    assert explain(ws, IDS["b"]).releases == ("v3", "v2", "prod")


def test_a_place_finds_what_could_not_be_read(ws: Workspace) -> None:
    assert explain(ws, "landing/2021.jsonl:2").record_id == IDS["f"]
    assert explain(ws, f"{ws.root}/landing/2020.jsonl:1").record_id == IDS["b"]


def test_texts_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;title\x07\u202egnp.exe\x9b31m"
    step = Step("cleaned", "cleaned", 1, f"kept {evil}", {"text_excerpt": evil, "text_characters": 20, "uri": evil})
    twin = Twin("0" * 32, True, evil, 0.5, False, 7, evil, 20, f"other {evil}", 26)
    told = shown(Walk("1" * 32, "letters", "p", "duplicate", f"gone {evil}", [step], (), twin))
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(told)
    assert "␛[2J" in told
    assert "after 7 characters that are the same in both" in told


def test_a_long_text_is_cut_where_it_differs(tmp_path: Path) -> None:
    from winnowry.inspect.explain_group import twin_of

    class Two:
        """Two long texts that differ at one place, as the table of cleaned records gives them."""

        class schema:
            names = ("record_id", "text")

        def to_table(self, **_: object) -> Two:
            return self

        def to_pylist(self) -> list[dict[str, str]]:
            same = "word " * 1000
            return [{"record_id": "a", "text": f"{same}one{same}"}, {"record_id": "b", "text": f"{same}two{same}"}]

    row = {"record_id": "a", "kept_record_id": "c", "twin_record_id": "b", "method": "minhash", "similarity": 0.99}
    found = twin_of(Two(), row)  # type: ignore[arg-type]
    assert found is not None
    assert not found.keeper
    assert found.start == 5000 - 120
    assert found.excerpt[115:123] == "word one"
    assert found.twin_excerpt[115:123] == "word two"
    assert len(found.excerpt) == 600
    assert found.characters == 10_003


def test_a_list_of_objects_is_a_line_each_and_says_how_many_more_there_are() -> None:
    criteria = [{"criterion_id": f"c{n}", "score": 0.5, "error": None, "text": "as\nasked"} for n in range(14)]
    shown = _items(criteria).plain.splitlines()
    assert shown[0] == "criterion_id c0  score 0.5  text as asked"
    assert shown[-1] == "… and 2 more"
    assert len(shown) == 13
    assert _items([{"text": "x" * 500, "boxes": [{"x": 1}]}]).plain == f'text {"x" * 200}…  boxes [{{"x": 1}}]'
