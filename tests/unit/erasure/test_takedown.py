"""Takedown lists: what a file names, and how wrong lines are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.core.errors import UsageError
from winnowry.erasure.takedown import Entry, entry_of, read_takedown_list

RECORD = "0f8fad5bd9cb469fa16570867728950e"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing, FIPS 180-2

ID = frozenset({"record", "id"})
URI, CONTENT = frozenset({"uri"}), frozenset({"content"})


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "entries"),
    [
        pytest.param(
            "ids.txt", "# asked for on Monday\nT-1\n\n  T-2 \r\n", [entry_of("T-1"), entry_of("T-2")], id="plain"
        ),
        pytest.param("ids", "\ufeffT-1", [entry_of("T-1")], id="byte-order-mark"),
        pytest.param("ids.txt", "a\x85b\nc\u2028d\n", [entry_of("a\x85b"), entry_of("c\u2028d")], id="odd-line-ends"),
        pytest.param("l.csv", "id\nT-1\n", [Entry("T-1", ID)], id="csv"),
        pytest.param("l.CSV", 'ID,Reason\n"T,1",why\n\nT-2\n', [Entry("T,1", ID), Entry("T-2", ID)], id="quoted"),
        pytest.param("l.csv", "source,id\nmail,T-1\n,T-2\n", [Entry("T-1", ID, "mail"), Entry("T-2", ID)], id="source"),
        pytest.param(
            "l.csv",
            f"id,uri,sha256\nT-1,,\n,landing/a.jsonl,\n,,{SHA256}\n",
            [Entry("T-1", ID), Entry("landing/a.jsonl", URI), Entry(SHA256, CONTENT)],
            id="mixed",
        ),
        pytest.param("l.tsv", f"record_id\tn\n{RECORD}\t1\n", [Entry(RECORD, frozenset({"record"}))], id="tsv"),
        pytest.param(
            "l.jsonl",
            f'"T-1"\n{{"id": 17}}\n\n{{"uri": "a/b.txt:3", "sha256": null}}\n{{"content_sha256": "{SHA256}"}}\n',
            [entry_of("T-1"), Entry("17", ID), Entry("a/b.txt:3", URI), Entry(SHA256, CONTENT)],
            id="json-lines",
        ),
    ],
)
def test_a_list_names_what_its_lines_say(tmp_path: Path, name: str, text: str, entries: list[Entry]) -> None:
    assert list(read_takedown_list(written(tmp_path, name, text)).entries) == entries


def test_what_is_named_twice_is_counted_and_columns_that_say_nothing_are_named(tmp_path: Path) -> None:
    listed = read_takedown_list(written(tmp_path, "l.csv", "id,reason,asked\nT-1,a,b\nT-2,a,b\nT-1,c,d\n"))
    assert (len(listed.entries), listed.repeated, listed.unread) == (2, 1, ("reason", "asked"))


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        ("a.txt", '{"id": "T-1"}\nT-2\n["T-3"]\n', ["line 1: looks like JSON", "line 3: looks like JSON"]),
        ("a.txt", "id,uri\nT-1,\n", ["line 1: looks like the header of a table; let the name of the file end in .csv"]),
        ("a.txt", "# nothing\n", ["names nothing"]),
        ("a.csv", "id\n", ["names nothing"]),
        ("a.csv", "name;id2\nx;T-1\n", ["line 1: no column of 'name;id2' names what to erase"]),
        ("a.csv", "recordid\nT-1\n", ["line 1: unknown column 'recordid'; did you mean 'record_id'?"]),
        ("a.csv", "id,id\nT-1,T-2\n", ["line 1: two columns are named id"]),
        (
            "a.csv",
            f'id,uri,sha256,source\nT-1,a.jsonl,,\n"T-2\n",,,\n,,,\n,,abc,\n,a.jsonl,,mail\nT-3,,,,x\n,,,mail\n,,{SHA256},\n',
            [
                "line 2: id and uri are both given",
                "line 6: sha256 'abc': expected 64 hexadecimal characters",
                "line 7: a source goes with an id, and uri is given",
                "line 8: 5 cells, and the header has 4",
                "line 9: names nothing; expected one of id",
            ],
        ),
        ("a.csv", 'id\n"T-1\n', ["line 2: unexpected end of data"]),
        ("a.csv", "record_id\nT-1\n", ["line 2: record_id 'T-1': expected 32 hexadecimal characters"]),
        (
            "a.jsonl",
            '{"id": true}\n{\n["T-1"]\n{"ids": "T-1"}\n{"reason": "x"}\n""\n"T-1"\n',
            [
                "line 1: id: expected a text, got true",
                "line 2: no JSON",
                "line 3: expected a text, or an object",
                "line 4: unknown key 'ids'; did you mean 'id'?",
                "line 5: names nothing",
                "line 6: an empty text names nothing",
            ],
        ),
    ],
)
def test_all_wrong_lines_are_told_at_once(tmp_path: Path, name: str, text: str, problems: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        read_takedown_list(written(tmp_path, name, text))
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/{name}: ")
    for problem in problems:
        assert problem in message
    assert message.count("\n  line ") == sum(problem.startswith("line ") for problem in problems)


def test_a_file_that_cannot_be_read_is_named_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: cannot be read .*expected a plain text"):
        read_takedown_list(tmp_path / "none.csv")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match=r"latin\.txt: cannot be read .*in UTF-8"):
        read_takedown_list(tmp_path / "latin.txt")


@pytest.mark.parametrize("digest", [RECORD, SHA256, SHA256.upper()])
def test_an_id_of_the_source_may_look_like_a_record_id_or_a_hash(digest: str) -> None:
    assert {"id", "uri"} < entry_of(digest).readings
    assert entry_of(digest).digest == digest.lower()
