"""What a power cut leaves torn of a table is set aside when the table is opened; nothing else is touched."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from winnowry.core.errors import TableFormatError
from winnowry.lakehouse.mending import mend_versions
from winnowry.lakehouse.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Three rows in versions 2, 3 and 4, tags on 2 and 3."""
    table = Table(str(tmp_path / "corpus" / "words.lance"), "words")
    table.create(pa.schema([("n", pa.int64())]))
    for number in range(3):
        append(table, number)
    for tag, version in (("v1", 2), ("prod", 3)):
        table.dataset().tags.create(tag, version)
    return table


def append(table: Table, number: int) -> None:
    lance.write_dataset(pa.table({"n": [number]}), table.uri, mode="append")


def rows(table: Table) -> list[int]:
    return sorted(table.dataset().to_table()["n"].to_pylist())


def manifests(table: Table) -> list[Path]:
    """The newest first."""
    return sorted(Path(table.uri, "_versions").glob("1*.manifest"))


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda body: b"",
    "half": lambda body: body[: len(body) // 2],
    "without its end": lambda body: body[:-1],
    "zeros": lambda body: bytes(len(body)),
    "second half zeros": lambda body: body[:300] + bytes(len(body) - 300),
    "a few zeros": lambda body: bytes(20),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("n_torn", [1, 2])
def test_torn_newest_versions_are_set_aside_and_the_table_goes_on(table: Table, cut: str, n_torn: int) -> None:
    torn = manifests(table)[:n_torn]
    for path in torn:
        path.write_bytes(CUTS[cut](path.read_bytes()))
    assert rows(table) == list(range(3 - n_torn))
    assert [Path(f"{path}#0").exists() for path in torn] == [True] * n_torn
    append(table, 9)
    assert rows(table) == [*range(3 - n_torn), 9]


def test_a_table_whose_every_version_is_torn_is_none_and_can_be_made_anew(table: Table) -> None:
    for path in manifests(table):
        path.write_bytes(b"")
    assert table.dataset_or_none() is None
    table.create(pa.schema([("n", pa.int64())]))
    append(table, 7)
    assert rows(table) == [7]


def test_a_torn_older_version_stays_and_the_table_opens(table: Table) -> None:
    older = manifests(table)[1]
    older.write_bytes(b"")
    assert rows(table) == [0, 1, 2]
    with pytest.raises(TableFormatError, match="cannot be opened"):
        table.dataset(3)
    assert older.exists()


def test_what_is_whole_is_not_touched(table: Table) -> None:
    before = sorted(str(path) for path in Path(table.uri).rglob("*"))
    assert mend_versions(table.uri) == []
    assert rows(table) == [0, 1, 2]
    assert sorted(str(path) for path in Path(table.uri).rglob("*")) == before


def test_an_object_store_is_not_mended() -> None:
    assert mend_versions("s3://bucket/corpus/words.lance") == []


@pytest.mark.parametrize("content", ["", '{"br', "[]", "{}", '{"version": "x"}', '{"version": null}', "\0\0\0"])
def test_a_tag_that_cannot_be_read_is_set_aside_and_the_others_stay(table: Table, content: str) -> None:
    Path(table.uri, "_refs/tags/v1.json").write_text(content)
    assert table.tags(table.dataset()) == {"prod": 3}
    assert Path(table.uri, "_refs/tags/v1.json#0").exists()
    table.dataset().tags.create("v1", 2)
    assert table.tags(table.dataset()) == {"prod": 3, "v1": 2}


def test_a_torn_tag_is_named_where_it_may_not_be_mended(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(table.uri, "_refs/tags/v1.json").write_text("")

    def refuse(uri: str) -> list[str]:
        raise PermissionError(uri)

    monkeypatch.setattr("winnowry.lakehouse.table.mend_tags", refuse)
    with pytest.raises(TableFormatError, match=r"words\.lance/_refs/tags: a tag is damaged"):
        table.tags(table.dataset())


def test_many_that_open_a_torn_table_at_once_do_not_undo_what_one_of_them_writes(table: Table) -> None:
    manifests(table)[0].write_bytes(b"")
    start = threading.Barrier(8)
    written: list[int] = []

    def open_and_write(number: int) -> None:
        own = Table(table.uri, "words")
        start.wait()
        own.dataset()
        append(own, number)
        written.append(number)

    threads = [threading.Thread(target=open_and_write, args=(number,)) for number in range(10, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(table) == [0, 1, *sorted(written)]
    assert len(written) == 8


def test_a_panic_of_lance_is_an_error_that_names_the_table(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(*_: object, **__: object) -> None:
        raise PanicException("range end index 16 out of range")

    monkeypatch.setattr(lance, "dataset", panic)
    with pytest.raises(TableFormatError, match=r"words\.lance: a file of it is damaged: Lance gave up"):
        table.dataset()


def test_a_folder_of_another_user_is_not_mended_and_the_error_is_lances(table: Table) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may change any folder")
    manifests(table)[0].write_bytes(b"")
    Path(table.uri, "_versions").chmod(0o555)
    with pytest.raises(TableFormatError, match="cannot be opened"):
        table.dataset()
