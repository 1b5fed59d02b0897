"""Files beside the tables: keys of a newer version are ignored and kept, a newer format is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.compat import lake as kept
from tests.compat import names

COMPAT = kept.RECIPES / "compat.yaml"
FILES = {
    "promotion record": "promotions/published/__all__/*.json",
    "column definition": "columns/published/half.json",
    "column file": "columns/published/half/*/*.json",
    "fit": "fits/*/*.json",
    "rollback": "rollbacks/prod.json",
    "facts of a release": "releases/v2/facts.json",
}
"""Where each kind of file lies below the corpus."""
COMMANDS = {
    "promotion record": ("plan", "compat.yaml"),
    "column definition": ("column", "list", "compat"),
    "facts of a release": ("release", "show", "compat"),
}
"""A command that reads a kind of file."""
RUNS: dict[str, Callable[[Path, Path], None]] = {
    "column file": lambda root, _: names.look_at_column_files(root, "compat", "published", "half"),
    "fit": names.open_fit,
    "rollback": lambda root, _: names.look_at_rollback(root, COMPAT),
}
"""What a run does with a kind of file that only it reads."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return kept.unpack(tmp_path)


def changed(root: Path, kind: str, **changes: Any) -> list[Path]:
    """Set keys of every file of a kind."""
    files = sorted((root / "compat").glob(FILES[kind]))
    assert files
    for file in files:
        file.write_text(json.dumps({**json.loads(file.read_bytes()), **changes}))
    return files


def without_digest(file: Path) -> dict[str, Any]:
    """What a file holds beside the digest of it all, which says that it is whole."""
    document: dict[str, Any] = json.loads(file.read_bytes())
    digest = document.pop("body_sha256")
    assert digest == hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return document


def refused(files: list[Path], kind: str, message: str) -> bool:
    """Whether a message is the one sentence about a file of format 2."""
    named = "|".join(re.escape(str(file)) for file in files)
    sentence = (
        rf"({named}): this {kind} has format 2, and this version of winnowry reads formats up to 1: "
        "upgrade winnowry to open it"
    )
    return re.fullmatch(sentence, message) is not None


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_refuses_a_newer_format_in_one_sentence(root: Path, kind: str) -> None:
    files = changed(root, kind, format=2)
    error = kept.ask(root, *COMMANDS[kind], status=1)["error"]
    assert error["type"] == "TableFormatError"
    assert refused(files, kind, error["message"])


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_refuses_a_newer_format_in_one_sentence(root: Path, kind: str) -> None:
    files = changed(root, kind, format=2)
    with pytest.raises(names.TableFormatError) as refusal:
        RUNS[kind](root, files[0])
    assert refused(files, kind, str(refusal.value))


@pytest.mark.parametrize("number", ["1.5", True, None])
def test_a_format_that_is_no_number_is_refused(root: Path, number: object) -> None:
    changed(root, "promotion record", format=number)
    assert kept.ask(root, "plan", "compat.yaml", status=1)["error"]["type"] == "TableFormatError"


def test_a_damaged_file_is_named(root: Path) -> None:
    file = changed(root, "column definition")[0]
    file.write_text('{"spec": ')
    error = kept.ask(root, "column", "list", "compat", status=1)["error"]
    assert error["type"] == "TableFormatError"
    assert error["message"].startswith(f"{file}: this column definition is damaged: ")


def test_unknown_keys_change_no_answer(root: Path) -> None:
    for kind in FILES:
        changed(root, kind, of_a_newer_version={"x": [1]})
    for file in (root / "compat" / "promotions").rglob("*.json"):
        record = json.loads(file.read_bytes())
        for table in (record["main"], *record["sides"]):
            if table is not None:
                table["of_a_newer_version"] = 1
        file.write_text(json.dumps(record))
    for file in (root / "compat" / "columns" / "published").glob("*.json"):
        definition = json.loads(file.read_bytes())
        definition["spec"]["of_a_newer_version"] = 1
        definition["spec"]["resources"]["of_a_newer_version"] = 1
        file.write_text(json.dumps(definition))
    for name in ("plan", "release_list", "release_diff", "column_list", "view_ledger", "view_versions"):
        assert kept.stored(kept.ask(root, *kept.QUESTIONS[name]), root) == kept.golden(name), name
    shown = kept.stored(kept.ask(root, *kept.QUESTIONS["release_show"]), root)
    assert shown["facts"].pop("of_a_newer_version") == {"x": [1]}
    assert shown == kept.golden("release_show")


def test_unknown_keys_of_a_promotion_record_are_kept_when_it_advances(root: Path) -> None:
    file = changed(root, "promotion record", of_a_newer_version={"x": [1]})[-1]
    record = json.loads(file.read_bytes())
    record["main"]["of_a_newer_version"] = 1
    record["sides"][0]["of_a_newer_version"] = [2]
    file.write_text(json.dumps(record))
    names.write_promotion_again(root, "compat", "published", file.stem)
    assert without_digest(file) == {"format": 1, **record}


def test_unknown_keys_of_a_column_are_kept_when_its_definition_is_written_again(root: Path) -> None:
    file = changed(root, "column definition", of_a_newer_version={"x": [1]})[0]
    definition = json.loads(file.read_bytes())
    definition["spec"]["of_a_newer_version"] = 1
    definition["spec"]["resources"]["of_a_newer_version"] = 2
    definition["earlier"][0][0]["of_a_newer_version"] = 3
    file.write_text(json.dumps(definition))
    names.write_column_again(root, "compat", "published", "half")
    assert without_digest(file) == {"format": 1, **definition}


def test_commands_stamp_what_they_write(root: Path) -> None:
    kept.ask(root, "column", "add", "compat", "twice", "--sql", "n_words * 2")
    kept.ask(root, "release", "rollback", "compat", "v2")
    files = [root / "compat/rollbacks/prod.json", *(root / "compat/columns/published").rglob("twice*/**/*.json")]
    files += (root / "compat/columns/published").glob("twice.json")
    assert len(files) >= 3
    assert {json.loads(file.read_bytes())["format"] for file in files} == {1}


def test_a_fit_is_the_same_with_and_without_its_number(root: Path) -> None:
    """Scores are known by the digest of the fit: the number of the file is no part of it."""
    digest = names.digest_of_fits(root, COMPAT)
    assert digest == names.live_version_of_fit(root, COMPAT)
    changed(root, "fit", format=1)
    assert names.digest_of_fits(root, COMPAT) == digest


def test_a_fit_is_written_with_its_number_and_read_without_it(tmp_path: Path) -> None:
    stored, read = names.fit_written_and_read(tmp_path, {"mean": 2.5, "model": b"bytes"})
    assert stored["format"] == 1
    assert read == {"mean": 2.5, "model": b"bytes"}


def test_a_measurement_is_read_beside_unknown_keys_and_refused_when_newer(tmp_path: Path) -> None:
    file, read, measured = names.measurement_kept(tmp_path)
    document = json.loads(file.read_bytes())
    assert document["format"] == 1
    file.write_text(json.dumps({**document, "of_a_newer_version": 1}))
    assert read() == measured
    file.write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(names.TableFormatError) as refusal:
        read()
    assert refused([file], "measurement", str(refusal.value))
