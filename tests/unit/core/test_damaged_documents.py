"""A document that does not hold what was written is refused in one sentence that names it; kind of file × damage."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from winnowry.core.errors import TableFormatError
from winnowry.core.formats import FORMATS, Kind, from_bytes, is_as_written, made_from, to_bytes

URI = "s3://bucket/corpus/file.json"
CANDIDATE = {"table": "raw", "fragments": [], "rows": 1, "scope": "table", "detached_version": 1}
SPEC = {"name": "x", "table": "published", "kind": "sql", "source": "1", "inputs": ["id"], "arrow": ""}
WHOLE: Mapping[Kind, dict[str, Any]] = {
    "promotion record": {
        "id": "1", "stage": "raw", "partition": "2019", "main": CANDIDATE, "sides": [CANDIDATE], "state": "promoted",
        "created_at": 1.5, "lineage": {}, "outputs": {}, "ledger": {}, "facts": {}, "promoted_at": None,
    },
    "column definition": {"spec": SPEC, "state": "live", "created_at": 1, "next": None, "earlier": [[SPEC, 3]]},
    "column file": {"key": "k", "path": "p", "rows": 1, "nulls": 0, "type": "int64"},
    "rollback": {"not_before": 1, "to": "v1", "since": None, "by": "jane"},
    "facts of a release": {"release": {"name": "v1"}},
    "recipe of a release": {"promotion_id": "1", "yaml": "version: 1", "spec": {}},
    "measurement": {"setting": {"experiment": "e", "arm": "a", "token_fraction": 0.5, "seed": 1}},
    "corpus recipe": {"file": None, "places": ["landing"], "recipe": {}, "written_at": "2026-01-01"},
    "seal": {"table": "raw", "files": {"raw.lance/data/a.lance": [10, "ab"]}},
    "stopped automation": {"steps": [{"stage": "fit", "partition": None, "token": "t"}]},
    "tombstones": {"marks": ["ab"]},
    "erasure": {"state": "finished"},
    "note of work": {"work": "cleaned", "erases": False, "process": {"host": "h"}},
}  # fmt: skip
"""A document of each kind that has a shape; a fit holds whatever its operator fitted."""


def mistyped(body: bytes) -> bytes:
    """Every value is of another type."""
    document = json.loads(body)
    other = {name: 7 if isinstance(value, str) else "seven" for name, value in document.items() if name != "format"}
    return json.dumps(other).encode()


DAMAGES: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "it is empty"),
    "half": (lambda body: body[: len(body) // 2], "it is no JSON"),
    "zeros": (lambda body: bytes(len(body)), "it holds nothing but zeros"),
    "not UTF-8": (lambda _: b'{"\xff\xfe": 1}', "it is no JSON"),
    "deep": (lambda _: b"[" * 100_000, "it is no JSON"),
    "a list": (lambda _: b"[1, 2]", "expected a JSON object"),
    "null": (lambda _: b"null", "expected a JSON object"),
    "foreign": (lambda _: b'{"name": "somebody else"}', "is missing or wrong"),
    "mistyped": (mistyped, "is missing or wrong"),
}


def test_every_kind_is_looked_at() -> None:
    assert {*WHOLE, "fit"} == {*FORMATS}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", FORMATS)
def test_damage_is_told_in_one_sentence_with_the_file_and_a_remedy(kind: Kind, damage: str) -> None:
    if kind == "fit" and damage in ("foreign", "mistyped"):
        pytest.skip("what a fit holds is up to its operator: the promotion of it says what that was")
    body = to_bytes(kind, WHOLE.get(kind, {"mean": 1.0}))
    assert from_bytes(kind, URI, body).content
    how, what = DAMAGES[damage]
    with pytest.raises(TableFormatError) as error:
        from_bytes(kind, URI, how(body))
    message = str(error.value)
    assert message.startswith(f"{URI}: th")
    assert f" {kind} " in message
    assert what in message
    assert error.value.damaged
    assert "\n" not in message
    assert ". " not in message
    assert "the file" in message or "winnowry" in message


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("seal", "files.raw.lance/data/a.lance", {"files": {"raw.lance/data/a.lance": 3}}),
        ("tombstones", "marks[1]", {"marks": ["ab", None]}),
        ("stopped automation", "steps[0].stage", {"steps": [{"stage": None, "token": "t"}]}),
        ("rollback", "not_before", {"not_before": True, "to": "v1"}),
        ("promotion record", "sides[0].rows", {**WHOLE["promotion record"], "sides": [{**CANDIDATE, "rows": "3"}]}),
        ("column definition", "next.inputs", {**WHOLE["column definition"], "next": {**SPEC, "inputs": "id"}}),
    ],
)
def test_the_place_of_a_wrong_value_is_named(kind: Kind, place: str, value: dict[str, Any]) -> None:
    with pytest.raises(TableFormatError, match="is missing or wrong") as error:
        from_bytes(kind, URI, to_bytes(kind, value))
    assert f": {place} is missing" in str(error.value)


def test_a_document_of_a_newer_format_is_not_damaged() -> None:
    with pytest.raises(TableFormatError, match="upgrade winnowry to open it") as error:
        from_bytes("fit", URI, b'{"format": 99}')
    assert not error.value.damaged


def test_what_cannot_be_made_of_a_document_is_damage_of_it() -> None:
    sentence = f"^{URI}: this rollback is damaged: ValueError"
    with pytest.raises(TableFormatError, match=sentence) as error, made_from("rollback", URI):
        int("x")
    assert error.value.damaged


def test_every_bit_that_flips_is_noticed() -> None:
    body = to_bytes("rollback", WHOLE["rollback"])
    assert is_as_written(body)
    for bit in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            from_bytes("rollback", URI, bytes(flipped))
            as_written = is_as_written(bytes(flipped))
        except TableFormatError:
            continue
        # A flip in the name of the digest leaves a document that says nothing of itself.
        assert not as_written or b'"body_sha256"' not in flipped, bytes(flipped)


def test_a_document_of_a_version_without_digests_says_nothing_of_itself() -> None:
    assert is_as_written(b'{"format": 1, "to": "v1"}')
