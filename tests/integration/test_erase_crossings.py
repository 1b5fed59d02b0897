"""An erasure meets everything else that a lake does: before it, after it, and at the same time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lance
import pytest

import winnowry as wn
from expectations.registry import suites_for
from tests.tiny_project import make_tiny_project
from tests.walk import open_recipe, run_all
from winnowry.core.errors import LakehouseError, UsageError
from winnowry.core.ids import record_id
from winnowry.erasure.erase import Certificate
from winnowry.gates.native import gxe
from winnowry.gates.suite import Suite
from winnowry.lakehouse import at_work
from winnowry.lakehouse.barrier import barrier
from winnowry.promotion.result import GateFailed
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.stages.run import run_stage

GONE = record_id("mail", mapped_id="T-1")
WORDS = "printer on the second floor"
LATER = "T-99"
SECRET = "nobody is to know of the zanzibar affair that this record tells at some length"
ANY_SHARE = "gates.cleaned.min_kept_fraction=0"
ANY_REFUSED = "gates.raw.max_quarantined_fraction=1"


def holders(root: Path, corpus: str, words: tuple[str, ...]) -> list[str]:
    """Tables at any version, and files beside them, that hold one of the words: read as any reader would."""
    hits = []
    for table in sorted((root / corpus).glob("*.lance")):
        dataset = lance.dataset(str(table))
        for version in [*(entry["version"] for entry in dataset.versions()), *dataset.tags.list()]:
            rows = str(lance.dataset(str(table), version=version).to_table().to_pydict())
            hits += [f"{table.name}@{version}: {word}" for word in words if word in rows]
    for path in sorted((root / corpus).rglob("*")):
        if path.is_file():
            body = path.read_bytes()
            hits += [f"{path.relative_to(root)}: {word}" for word in words if word.encode() in body]
    return hits


@dataclass
class Lake:
    """A lake of its own, and what a row of the table does with it."""

    root: Path
    recipe: Recipe
    lake: wn.Lake
    notes: dict[str, Any] = field(default_factory=dict)

    def run(self, *overrides: str) -> dict[tuple[str, str | None], Any]:
        recipe = apply_overrides(self.recipe, list(overrides)) if overrides else self.recipe
        return {(result.stage, result.partition): result for result in run_all(self.lake.workspace, recipe)}

    def stage(self, stage: str, partition: str | None, *overrides: str, suites: Any = suites_for) -> Any:
        recipe = apply_overrides(self.recipe, list(overrides)) if overrides else self.recipe
        return run_stage(self.lake.workspace, recipe, stage, partition, suites=suites, run_id="test")

    def land(self, name: str, *records: dict[str, str]) -> None:
        lines = [json.dumps({"time": "2025-03-04T10:00:00Z", **record}) + "\n" for record in records]
        (self.root / "landing/mail" / name).write_text("".join(lines))

    def published(self) -> set[str]:
        return set(self.lake.table("tickets.published").to_arrow(["record_id"])["record_id"].to_pylist())


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_project(tmp_path_factory.mktemp("walked"))
    run_all(*open_recipe(folder / "lake", folder / "tickets.yaml"))
    return folder


@pytest.fixture
def lake(walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    shutil.copytree(walked, tmp_path / "own")
    ws, recipe = open_recipe(tmp_path / "own/lake", tmp_path / "own/tickets.yaml")
    return Lake(Path(ws.root), recipe, wn.open(ws.root))


def reached(name: str, do: Callable[[], None]) -> Callable[[str], None]:
    def hook(barrier_name: str) -> None:
        if barrier_name == name:
            barrier.hook = None  # once
            do()

    return hook


def cut() -> None:
    raise KeyboardInterrupt


def later_record(lake: Lake) -> None:
    lake.land("2025.jsonl", {"id": LATER, "text": SECRET}, {"id": "T-98", "text": "One of ten words " * 4})
    lake.stage("landing", None)
    lake.stage("raw", "2025")


# ------------------------------------------------------------------------------------- what there was before it


def added_column(lake: Lake) -> None:
    lake.lake.add_column("tickets", "loud", sql="upper(text)")


def loud_column_of_the_others(lake: Lake, _: Certificate) -> None:
    rows = lake.lake.table("tickets.published").to_arrow(["text", "loud"]).to_pylist()
    assert len(rows) == 2
    assert all(row["loud"] == row["text"].upper() for row in rows)
    assert [column.state for column in lake.lake.columns("tickets")] == ["live"]


def column_on_its_way(lake: Lake) -> None:
    barrier.hook = reached("column:computed", cut)
    with pytest.raises(KeyboardInterrupt):
        lake.lake.add_column("tickets", "loud", sql="upper(text)")


def column_is_added_then(lake: Lake, _: Certificate) -> None:
    lake.lake.add_column("tickets", "loud", sql="upper(text)")
    loud_column_of_the_others(lake, _)


def upkeep(lake: Lake) -> None:
    lake.lake.maintain(keep_days=1)


def kept_units(lake: Lake) -> None:
    later_record(lake)
    barrier.hook = reached("staged:cleaned", cut)
    with pytest.raises(KeyboardInterrupt):
        lake.stage("cleaned", "2025", ANY_SHARE)
    assert holders(lake.root / "tickets", "units", (SECRET,))


def refused_candidate(lake: Lake) -> None:
    later_record(lake)
    with pytest.raises(GateFailed):
        lake.stage("cleaned", "2025", "text.length.min_words=16", "gates.cleaned.min_kept_fraction=1")
    assert SECRET in str(lake.lake.sql("select payload from tickets.raw").to_pylist())


def only_in_a_refused_candidate(lake: Lake) -> None:
    lake.land("2025.jsonl", {"id": LATER, "text": SECRET}, {"id": "T-98", "text": "One of ten words " * 4})
    lake.stage("landing", None)
    suite = Suite("raw.contract", [gxe.ExpectTableRowCountToBeBetween(min_value=1000)])
    with pytest.raises(GateFailed):
        lake.stage("raw", "2025", suites=lambda *_: [suite])


def unreadable_line(lake: Lake) -> None:
    with (lake.root / "landing/mail/2026.jsonl").open("a") as landed:
        landed.write('{"id": "T-99", "text": "' + SECRET + "\n")
    lake.run()
    [row] = lake.lake.sql("select record_id from tickets.quarantine where operator like 'source.%'").to_pylist()
    lake.notes["ids"] = [row["record_id"]]


def landing_changes_elsewhere(lake: Lake, _: Certificate) -> None:
    """The object that held the line is not read again; its line counts still."""
    lake.land("2024.jsonl", {"id": "T-7", "text": "One of ten words " * 4, "time": "2024-03-04T10:00:00Z"})
    lake.run(ANY_SHARE)
    [row] = lake.lake.sql("select payload, reason from tickets.quarantine where operator like 'source.%'").to_pylist()
    assert not row["payload"]


# -------------------------------------------------------------------------------------------- what comes after it


def nothing(lake: Lake, *_: Any) -> None:
    """Only what every row looks at."""


def export_lacks_it(lake: Lake, _: Certificate) -> None:
    done = lake.lake.export("tickets", "jsonl", lake.root.parent / "out", "v1")
    assert done.rows == 2
    assert WORDS not in "".join(path.read_text() for path in (lake.root.parent / "out").glob("*.jsonl"))


def moved_threshold(lake: Lake, _: Certificate) -> None:
    """The others are carried over with their columns; nothing is read anew that was erased."""
    results = lake.run("text.length.min_words=1", ANY_SHARE)
    assert results["cleaned", "2026"].metadata["columns_reused"]
    assert lake.published() == {record_id("mail", mapped_id=name) for name in ("T-2", "T-3", "T-4")}


def every_stage_by_force(lake: Lake, _: Certificate) -> None:
    for stage, partition in (("landing", None), ("raw", "2026"), ("cleaned", "2026")):
        run_stage(lake.lake.workspace, lake.recipe, stage, partition, suites=suites_for, run_id="test", force=True)
    assert lake.published() == {record_id("mail", mapped_id=name) for name in ("T-2", "T-3")}


def pages_say_how_many(lake: Lake, certificate: Certificate) -> None:
    [release] = lake.lake.releases("tickets")
    assert release.erased is not None
    [erased] = release.erased
    assert (erased["rows"], erased["at"]) == (1, certificate.erased_at)
    assert (lake.root / erased["certificate"]).is_file()
    sentence = (
        f"1 record was erased from it on {str(certificate.erased_at)[:10]} (certificate: {erased['certificate']})."
    )
    for name in ("page.html", "README.md", "facts.json"):
        assert sentence in (lake.root / "tickets/releases/v1" / name).read_text(), name
    walk = lake.lake.explain("T-1")
    assert (walk.status, walk.steps) == ("erased", [])
    assert walk.verdict.startswith(f"erased on {str(certificate.erased_at)[:10]}; ")
    assert lake.lake.explain(GONE).status == "erased"


def refusal_is_tried_again(lake: Lake, _: Certificate) -> None:
    lake.run(ANY_SHARE, ANY_REFUSED)
    assert record_id("mail", mapped_id="T-98") in lake.published()


FIRST: dict[str, Any] = {"ids": ["T-1"]}
SECOND: dict[str, Any] = {"ids": [LATER]}
BY_TEXT: dict[str, Any] = {"where": f"payload LIKE '%{SECRET}%'"}
BY_NOTE: dict[str, Any] = {}
TABLE: dict[str, tuple[Callable[..., None], dict[str, Any], Callable[..., None]]] = {
    "added column": (added_column, FIRST, loud_column_of_the_others),
    "column on its way": (column_on_its_way, FIRST, column_is_added_then),
    "upkeep before": (upkeep, FIRST, nothing),
    "kept units of a stage that was cut off": (kept_units, SECOND, nothing),
    "refused candidate": (refused_candidate, BY_TEXT, refusal_is_tried_again),
    "only in a refused candidate": (only_in_a_refused_candidate, BY_TEXT, refusal_is_tried_again),
    "unreadable line": (unreadable_line, BY_NOTE, landing_changes_elsewhere),
    "upkeep after": (nothing, FIRST, lambda lake, _: upkeep(lake)),
    "export": (nothing, FIRST, export_lacks_it),
    "moved threshold": (nothing, FIRST, moved_threshold),
    "by force": (nothing, FIRST, every_stage_by_force),
    "pages": (nothing, FIRST, pages_say_how_many),
}


@pytest.mark.parametrize(("before", "request_", "after"), TABLE.values(), ids=TABLE)
def test_it_is_nowhere_whatever_came_before_and_comes_after(
    lake: Lake, before: Callable[..., None], request_: dict[str, Any], after: Callable[..., None]
) -> None:
    before(lake)
    certificate = lake.lake.erase("tickets", **(request_ or lake.notes), yes=True)
    assert certificate.proven, certificate
    assert certificate.records == 1
    words = (WORDS, WORDS.upper(), GONE, '"T-1"') if request_ is FIRST else (SECRET, SECRET.upper())
    assert holders(lake.root, "tickets", words) == []
    assert lake.lake.verify().findings == ()
    after(lake, certificate)
    lake.run(ANY_SHARE, ANY_REFUSED)
    assert holders(lake.root, "tickets", words) == []
    assert lake.lake.verify().findings == ()


# -------------------------------------------------------------------------------------------- at the same time


def test_it_does_not_begin_while_others_write_and_changes_nothing(lake: Lake) -> None:
    refusals = []

    def erase() -> None:
        with pytest.raises(UsageError) as error:
            lake.lake.erase("tickets", ["T-1"], yes=True)
        refusals.append(str(error.value))

    lake.land("2025.jsonl", {"id": "T-98", "text": "One of ten words " * 4})
    barrier.hook = reached("staged:raw", erase)
    lake.run(ANY_SHARE)
    barrier.hook = reached("column:computed", erase)
    lake.lake.add_column("tickets", "loud", sql="upper(text)")
    barrier.hook = reached("swept:raw", erase)
    lake.lake.maintain(keep_days=1)
    for work, refusal in zip(
        ("tickets/raw[2025]", "column published.loud", "winnowry maintain"), refusals, strict=True
    ):
        assert refusal.startswith(f"tickets: {work} (process ")
        assert "Nothing was changed. Wait until it is done, or stop it" in refusal
    assert GONE in lake.published()
    assert not list((lake.root / "tickets/at_work").iterdir())
    assert not (lake.root / "tickets/tombstones").exists()


def test_others_wait_until_it_is_done(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(at_work, "_LOOK_AGAIN_S", 0.0)
    waited = []

    def work() -> None:
        for do in (
            lambda: lake.stage("landing", None),
            lambda: lake.lake.maintain(keep_days=1),
            lambda: lake.lake.add_column("tickets", "loud", sql="upper(text)"),
            lambda: lake.lake.erase("tickets", ["T-2"], yes=True),
        ):
            with pytest.raises((LakehouseError, UsageError)) as error:
                do()
            waited.append(str(error.value))

    lake.land("2025.jsonl", {"id": "T-98", "text": "One of ten words " * 4})
    barrier.hook = reached("erasure:started", work)
    assert lake.lake.erase("tickets", ["T-1"], yes=True).proven
    assert ["waited for ten minutes for winnowry erase (process " in text for text in waited] == [
        True,
        True,
        True,
        False,
    ]
    assert "winnowry erase (process " in waited[3]
    assert len(lake.run(ANY_SHARE)) > 3
    assert record_id("mail", mapped_id="T-2") in lake.published()


# ------------------------------------------------------------------------------------------- names that come later


def test_what_is_named_before_it_lands_is_kept_out_when_it_lands(lake: Lake) -> None:
    import hashlib

    texts = {name: f"{SECRET}, told for the {name} time by somebody who was there." for name in "abcdefgh"}
    listed = lake.root.parent / "list.jsonl"
    entries: list[Any] = [
        {"id": "A-1"},
        {"id": "A-2", "source": "mail"},
        {"record_id": record_id("mail", mapped_id="A-3")},
        {"sha256": hashlib.sha256(texts["d"].encode()).hexdigest().upper()},
        {"uri": "landing/mail/whole.jsonl"},
        {"uri": f"{lake.root}/landing/mail/2025.jsonl:4"},
        {"id": "A-8"},
        "T-1",
        {"id": "A-9", "source": "another"},
    ]
    listed.write_text("".join(json.dumps(entry) + "\n" for entry in [*entries, "T-1"]))
    certificate = lake.lake.erase("tickets", list=listed, yes=True)
    assert (certificate.entries, certificate.matched, certificate.repeated) == (9, 1, 1)
    assert len(certificate.unknown) == 8
    names = ["A-1", "A-2", "A-3", "A-4", "A-6", "A-9"]
    lake.land("2025.jsonl", *({"id": name, "text": text} for name, text in zip(names, texts.values(), strict=False)))
    lake.land("whole.jsonl", {"id": "A-7", "text": texts["g"]})
    lake.land("refused.jsonl", {"id": "A-8", "text": texts["h"], "time": "no time at all"})
    good = {"id": "A-5", "text": "One of ten words " * 4}
    lake.land("good.jsonl", good)
    results = lake.run(ANY_SHARE, ANY_REFUSED, "gates.landing.max_quarantined_fraction=1")
    assert results["raw", "2025"].quarantined_by_reason == {"source.map: erased": 6}
    assert holders(lake.root, "tickets", tuple(texts[letter] for letter in "abcdegh")) == []
    published = lake.published()
    assert record_id("mail", mapped_id="A-5") in published
    assert record_id("mail", mapped_id="A-9") in published  # the name is that of another source
    for name in ("A-1", "A-2", "A-3", "A-4", "A-6", "A-7", "A-8"):
        assert record_id("mail", mapped_id=name) not in published
    assert {lake.lake.explain(name).status for name in ("A-1", "A-2", "A-8")} == {"erased"}
    again = lake.lake.erase("tickets", list=listed)
    assert (again.matched, again.already) == (0, 9)


def test_records_that_share_an_id_or_a_text_with_it_stay(tmp_path: Path) -> None:
    project = make_tiny_project(tmp_path)
    recipe_file = project / "tickets.yaml"
    mail = next(line for line in recipe_file.read_text().splitlines() if "name: mail" in line)
    recipe_file.write_text(recipe_file.read_text().replace(mail, f"{mail}\n{mail.replace('mail', 'chat')}"))
    texts = {"first": f"{SECRET}, and more of it than that", "second": "One of ten words " * 4}
    for source, rows in {
        "mail": {"ticket-1": "first", "ticket-3": "second"},
        "chat": {"ticket-1": "second", "ticket-2": "first"},
    }.items():
        (project / "lake/landing" / source).mkdir(exist_ok=True)
        lines = [{"id": name, "text": texts[text], "time": "2026-01-02T10:00:00Z"} for name, text in rows.items()]
        (project / f"lake/landing/{source}/2026.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ws, recipe = open_recipe(project / "lake", recipe_file)
    run_all(ws, recipe)
    (tmp_path / "list.csv").write_text("id,source\nticket-1,mail\n")
    lake = wn.open(ws.root)
    certificate = lake.erase("tickets", list=tmp_path / "list.csv", yes=True)
    assert certificate.proven, certificate
    left = {("mail", "ticket-3"), ("chat", "ticket-1"), ("chat", "ticket-2")}
    published = set(lake.table("tickets.published").to_arrow(["record_id"])["record_id"].to_pylist())
    assert published == {record_id(source, mapped_id=name) for source, name in left}
