"""Verification: every kind of damage is named with what it touches, and what can be made again is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lance
import pytest

import winnowry as wn
from expectations.registry import suites_for
from tests.integration.test_lost_rows import lose_newest, write_lake
from tests.walk import open_recipe, run_all
from winnowry.columns.fill import add_column
from winnowry.columns.spec import sql_column
from winnowry.core.errors import DataError
from winnowry.inspect.maintain import maintain
from winnowry.inspect.verify import Verification, verify
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import apply_overrides
from winnowry.releases.export import export
from winnowry.releases.releases import rollback


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years, two releases, an added column."""
    root = write_lake(tmp_path_factory.mktemp("verify"))
    ws, recipe = open_recipe(root, root / "r.yaml")
    lake = wn.open(str(root))
    assert lake.run(root / "r.yaml").succeeded
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.7"]))
    assert lake.run(root / "r.yaml").succeeded
    dataset = ws.lake.table("c", "published").dataset()
    add_column(ws, "c", sql_column(dataset, "published", "twice", "n_tokens * 2"), suites=suites_for)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "lake"))


def look(root: Path, **options: object) -> Verification:
    return verify(Workspace.open(str(root)), **options)  # type: ignore[arg-type]


def data(root: Path, table: str) -> Path:
    """A data file of the latest version."""
    fragment = lance.dataset(str(root / "c" / f"{table}.lance")).get_fragments()[0]
    return root / "c" / f"{table}.lance" / "data" / fragment.data_files()[0].path


def other(root: Path, table: str, pattern: str) -> Path:
    return sorted((root / "c" / f"{table}.lance").glob(pattern))[0]


def index(root: Path, table: str) -> Path:
    """A file of the index that the latest version names; those of older versions lie beside it."""
    table_folder = root / "c" / f"{table}.lance"
    (segment, *_) = lance.dataset(str(table_folder)).describe_indices()[0].segments
    return table_folder / "_indices" / str(segment.uuid) / "page_data.lance"


def staged(root: Path, table: str) -> Path:
    """The manifest of a version that a live promotion was judged by; refused and replaced ones lie beside it."""
    record = Workspace.open(str(root)).lake.live_record("c", table, "2023")
    assert record is not None
    assert record.main is not None
    return root / "c" / f"{table}.lance" / "_versions" / f"d{record.main.detached_version}.manifest"


def flip(path: Path, bit: int = 100) -> None:
    body = bytearray(path.read_bytes())
    body[bit // 8 % len(body)] ^= 1 << bit % 8
    path.write_bytes(body)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def stranger(root: Path) -> None:
    """Rows that somebody put into a table, with the promotion id of those that are there."""
    uri = str(root / "c" / "cleaned.lance")
    lance.write_dataset(lance.dataset(uri).to_table(limit=1), uri, mode="append")


def same_length(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def test_an_untouched_lake_is_sound_at_every_depth(root: Path) -> None:
    for depth in (None, "sizes", "contents"):
        report = look(root, depth=depth)
        assert report.findings == ()
        assert report.files > 20
    assert look(root).depth == "contents"
    assert look(root).bytes_read == look(root).bytes


DAMAGES: list[tuple[str, Callable[[Path], None], str, str | None]] = [
    # damage, how, fault by content, fault by size (None: not seen)
    ("bit of a data file", lambda root: flip(data(root, "raw")), "content", None),
    ("bit of a rejected row", lambda root: flip(data(root, "quarantine")), "content", None),
    ("bit of an index", lambda root: flip(index(root, "raw")), "content", None),
    ("bit of a staged version", lambda root: flip(staged(root, "raw")), "content", None),
    ("zeros of the same length", lambda root: same_length(data(root, "scored")), "content", "lost rows"),
    ("last byte cut off", lambda root: cut(data(root, "cleaned")), "size", "size"),
    ("empty data file", lambda root: empty(data(root, "sampled")), "size", "size"),
    ("data file gone", lambda root: data(root, "cleaned").unlink(), "missing", "missing"),
    ("index gone", lambda root: index(root, "raw").unlink(), "missing", "missing"),
    ("rows from elsewhere", stranger, "not sealed", "not sealed"),
    ("newest manifest gone", lambda root: lose(root, "scored"), "lost rows", "lost rows"),
    ("versions of a release gone", lambda root: lose(root, "published"), "lost version", "lost version"),
    ("record empty", lambda root: empty(first_record(root)), "unreadable", "unreadable"),
]


def lose(root: Path, table: str) -> None:
    lose_newest(root / "c" / f"{table}.lance")


def first_record(root: Path) -> Path:
    return sorted((root / "c" / "promotions" / "raw" / "2023").glob("*.json"))[0]


@pytest.mark.parametrize(("damage", "do", "deep", "fast"), DAMAGES, ids=[damage[0] for damage in DAMAGES])
def test_every_kind_of_damage_is_named(
    root: Path, damage: str, do: Callable[[Path], None], deep: str, fast: str | None
) -> None:
    do(root)
    assert deep in {finding.fault for finding in look(root).findings}, damage
    by_size = {finding.fault for finding in look(root, depth="sizes").findings}
    assert (fast in by_size) if fast is not None else (by_size == set())


def test_what_is_damaged_is_named_with_its_rows_its_releases_and_the_way_out(root: Path) -> None:
    flip(data(root, "published"))
    (finding,) = look(root).findings
    assert finding.name == data(root, "published").relative_to(root / "c").as_posix()
    assert (finding.stage, finding.partition) == ("published", "__all__")
    assert finding.releases
    assert "--repair" in finding.repair


@pytest.mark.parametrize("table", ["landing", "raw", "cleaned", "duplicates", "scored", "sampled"])
def test_a_repair_makes_the_same_rows_again(root: Path, table: str) -> None:
    lake = wn.open(str(root))
    before = lake.table(f"c.{table}").to_arrow().drop_columns(["promotion_id"]).to_pylist()
    flip(data(root, table), 8 * 40)
    report = lake.verify(repair=True)
    assert report.sound, report.findings
    assert [(done.done, done.same_rows) for done in report.repaired] == [(True, True), (True, None)], report.repaired
    after = lake.table(f"c.{table}").to_arrow().drop_columns(["promotion_id"]).to_pylist()
    volatile = ("ingested_at",)
    assert sorted(str([v for k, v in row.items() if k not in volatile]) for row in after) == sorted(
        str([v for k, v in row.items() if k not in volatile]) for row in before
    )
    assert not lake.plan(root / "r.yaml").to_run


def test_an_index_is_built_anew(root: Path) -> None:
    flip(index(root, "raw"))
    report = wn.open(str(root)).verify(repair=True)
    assert report.sound, report.findings
    assert "built anew" in report.repaired[0].message


def test_rows_that_come_out_otherwise_are_called_a_new_promotion(root: Path) -> None:
    records = Workspace.open(str(root)).lake.records("c")
    (record,) = records.of("raw", "2023")
    records.save(replace(record, digests={**record.digests, "raw": "0" * 64}))
    flip(data(root, "raw"))
    done = wn.open(str(root)).verify(repair=True).repaired[0]
    assert (done.what, done.done, done.same_rows) == ("raw[2023]", True, False)
    assert "is a new one" in done.message


def test_what_lies_in_the_landing_now_takes_no_damaged_rows_place_unseen(root: Path) -> None:
    """The object was replaced since: the landing has to see it first."""
    landed = root / "landing" / "2023.jsonl"
    flip(data(root, "raw"))
    landed.write_text(landed.read_text().replace("2023 1 ", "2023 one "))
    report = wn.open(str(root)).verify(repair=True)
    assert not report.sound
    assert [done.done for done in report.repaired] == [False]


def test_nothing_is_made_again_from_damaged_inputs(root: Path) -> None:
    """The landing objects are away: raw cannot be made again, and cleaned of the same year is not made from it."""
    flip(data(root, "raw"))
    for fragment in lance.dataset(str(root / "c" / "cleaned.lance")).get_fragments():
        flip(root / "c" / "cleaned.lance" / "data" / fragment.data_files()[0].path)
    shutil.rmtree(root / "landing")
    report = wn.open(str(root)).verify(repair=True)
    assert {done.what: done.done for done in report.repaired if "[" in done.what} == {
        "raw[2023]": False,
        "cleaned[2023]": False,
        "cleaned[2024]": True,
    }
    assert any("it reads raw, which is damaged" in done.message for done in report.repaired)


def test_an_export_refuses_damaged_files_and_writes_nothing(root: Path, tmp_path: Path) -> None:
    ws = Workspace.open(str(root))
    flip(data(root, "published"))
    tags = look(root).findings[0].releases
    with pytest.raises(DataError, match="holds other bytes than were written"):
        export(ws, "c", "jsonl", str(tmp_path / "out"), tags[0])
    assert not (tmp_path / "out").exists()


def test_upkeep_rollback_and_later_releases_leave_the_lake_sound(root: Path) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    maintain(ws)
    assert look(root).findings == ()
    rollback(ws, "c", "v1")
    assert look(root).findings == ()
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.5"]))
    assert look(root).findings == ()
    (root / "landing" / "2023.jsonl").unlink()
    assert wn.open(str(root)).run(apply_overrides(recipe, ["limits.max_retracted_fraction=1"])).succeeded
    assert look(root).findings == ()


def test_a_process_that_died_between_seal_and_commit_leaves_no_finding(root: Path) -> None:
    ws, _ = open_recipe(root, root / "r.yaml")
    record = max((r for r in ws.lake.records("c").of_stage("sampled")), key=lambda record: record.id)
    staged = record.__class__(**{**record.__dict__, "id": "ff" + record.id[2:], "state": "staged"})
    ws.lake.records("c").save(staged)
    ws.lake.seals("c").seal("raw", "column x", [data(root, "raw").relative_to(root / "c").as_posix()])
    assert look(root).findings == ()


@pytest.mark.slow
def test_a_hundred_flips_anywhere_in_sealed_files_are_found(root: Path) -> None:
    rng = random.Random(5)
    tables = [path for path in (root / "c").glob("*.lance") if path.name != "gates.lance"]
    files = [
        table / "data" / file.path
        for table in tables
        for fragment in lance.dataset(str(table)).get_fragments()
        for file in fragment.data_files()
    ]
    n_named = 0
    for _ in range(100):
        path = rng.choices(files, weights=[path.stat().st_size for path in files])[0]
        body = path.read_bytes()
        flip(path, rng.randrange(len(body) * 8))
        name = path.relative_to(root / "c").as_posix()
        n_named += name in {finding.name for finding in look(root).findings}
        path.write_bytes(body)
    assert n_named == 100
    assert look(root).findings == ()
