"""What every operator of the registry promises, whatever it measures."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.motion_files import march
from tests.operator_examples import example_of
from winnowry.operators.base import Derivation, FittedOperator, Operator, Rule
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.media.operator import MediaDerivation
from winnowry.operators.registry import operators
from winnowry.records.conversations import ROLLOUTS, STEPS, TURNS, turn
from winnowry.records.motion import MOTION_COLUMNS

NAMES = tuple(operators())
MEASURES = tuple(name for name, cls in operators().items() if not issubclass(cls, Derivation))
"""Operators that give a row for a row; what the others promise besides is in test_derivations.py."""

POOL = [
    "The committee met on Tuesday. It decided, after a long discussion, that rates would stay where they were.",
    "Short sentence. Another one! And a question?",
    "<p>Returns the <b>object</b> &amp; its tags.</p><ul><li>One</li><li>Two</li></ul>",
    "- item one\n- item two\n- item two\n\nRead more...",
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "cafÃ© â€œquotedâ€\x9d \r\n trailing  \x00",
    "e\u0301 " * 40,
    "12 345 678 !!! ###",
    "שלום עולם \u202e مرحبا",
    "word " * 300,
    "\u3000",
    "",
]
TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(POOL), st.text(max_size=30)), max_size=8)


def default_of(name: str) -> Operator:
    return example_of(name)


def file_of(text: str) -> bytes:
    """A picture for every second text, and bytes that are none for the others."""
    octets = text.encode("utf-8", "surrogatepass")
    return octets if len(text) % 2 else b"P5 %d 1 255\n" % (len(octets) + 1) + octets + b"\0"


STRUCTURES: dict[pa.DataType, Callable[[str], list[dict[str, Any]]]] = {
    TURNS: lambda text: [turn("user", text), turn("assistant", text[::-1])],
    STEPS: lambda text: [{"text": text}, {"text": "1 + 1 = 3"}],
    ROLLOUTS: lambda text: [{"text": text, "reward": float(len(text) % 2)}, {"reward": None}],
}


def column_of(field: pa.Field, texts: list[str | None]) -> pa.Array:
    """Plausible values for a column that an operator reads."""
    if field.name == "text":
        return pa.array(texts, field.type)
    if field in MOTION_COLUMNS:
        clips = [None if text is None else march(len(text) % 40, swing=len(text) % 50).columns() for text in texts]
        return pa.array([None if clip is None else clip[field.name] for clip in clips], field.type)
    if field.type in STRUCTURES:
        return pa.array([None if text is None else STRUCTURES[field.type](text) for text in texts], field.type)
    if pa.types.is_large_binary(field.type):
        return pa.array([None if text is None else file_of(text) for text in texts], field.type)
    if field.name == "content_sha256":
        return pa.array([hashlib.sha256(repr(text).encode()).hexdigest() for text in texts], field.type)
    if pa.types.is_nested(field.type):
        return pa.array([None if text is None else value_of(field.type, len(text)) for text in texts], field.type)
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return pa.array([f"{field.name}-{index}" for index in range(len(texts))], field.type)
    return pa.array([None if text is None else len(text) for text in texts], pa.int64()).cast(field.type)


def value_of(kind: pa.DataType, seed: int) -> Any:
    """A plausible value of a column of lists and structs; fields are null now and then."""
    if pa.types.is_struct(kind):
        return {
            field.name: None if (seed + place) % 5 == 0 else value_of(field.type, seed + place)
            for place, field in enumerate(kind)
        }
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [value_of(kind.value_type, seed + place) for place in range(seed % 4)]
    if pa.types.is_boolean(kind):
        return seed % 2 == 0
    if pa.types.is_floating(kind):
        return seed % 97 + 0.5
    return f"value {seed % 3}" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else seed % 7


def batch_of(operator: Operator, texts: list[str | None]) -> pa.RecordBatch:
    schema = operator.reads()
    return pa.record_batch([column_of(field, texts) for field in schema], schema=schema)


@cache
def fit_of(operator: FittedOperator) -> dict[str, Any]:
    pool = operator.measure(batch_of(operator, [text for text in POOL for _ in range(2)]))
    assert pool.schema.names == operator.components().names
    return operator.fit(pa.Table.from_batches([pool]))


def apply(operator: Operator, batch: pa.RecordBatch) -> pa.RecordBatch:
    if isinstance(operator, FittedOperator):
        return operator.apply_fitted(batch, fit_of(operator))
    if isinstance(operator, Derivation):
        return operator.derive(batch).batch
    return operator.apply(batch)


def values(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows with floats as their exact text, so that NaN equals NaN and nothing is rounded."""
    return [
        {name: repr(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in batch.to_pylist()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_has_its_registered_name_and_documents_every_parameter(name: str) -> None:
    operator = default_of(name)
    assert operator.op == name
    assert operator.VERSION >= 1
    assert type(operator).__doc__ != Operator.__doc__
    undocumented = [
        field for field, info in type(operator).model_fields.items() if field != "op" and not info.description
    ]
    assert undocumented == []


@pytest.mark.parametrize("name", MEASURES)
@given(texts=TEXTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(texts=[])
@example(texts=[None])
@example(texts=[None, "", None, "a", ""])
@example(texts=[*POOL])
def test_an_operator_writes_exactly_its_declared_columns_for_every_row(name: str, texts: list[str | None]) -> None:
    operator = default_of(name)
    written = apply(operator, batch_of(operator, texts))
    assert written.num_rows == len(texts)
    assert written.schema.names == operator.writes().names
    assert written.schema.types == operator.writes().types
    written.validate(full=True)
    for field in operator.writes():
        if not field.nullable:
            assert written[field.name].null_count == 0


@pytest.mark.parametrize("name", NAMES)
@given(texts=TEXTS, cut=st.integers(0, 8))
@settings(max_examples=25)
@example(texts=[*POOL, None], cut=5)
def test_how_rows_are_cut_into_batches_does_not_matter(name: str, texts: list[str | None], cut: int) -> None:
    operator = default_of(name)
    whole = batch_of(operator, texts)
    cut = min(cut, len(texts))
    parts = [whole.slice(0, cut), whole.slice(cut)]  # the second is a slice with an offset
    assert values(apply(operator, whole)) == [row for part in parts for row in values(apply(operator, part))]


@pytest.mark.parametrize("name", MEASURES)
def test_one_row_alone_is_what_it_is_among_others(name: str) -> None:
    operator = default_of(name)
    whole = batch_of(operator, [*POOL, None])
    alone = [values(apply(operator, whole.slice(index, 1)))[0] for index in range(whole.num_rows)]
    assert values(apply(operator, whole)) == alone


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_gives_the_same_result_again_and_leaves_its_input_alone(name: str) -> None:
    operator = default_of(name)
    batch = batch_of(operator, [*POOL, None])
    before = pickle.dumps(batch)
    assert values(apply(operator, batch)) == values(apply(default_of(name), batch))
    assert pickle.dumps(batch) == before


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_survives_pickling_and_its_own_fingerprint(name: str) -> None:
    operator = default_of(name)
    copy = pickle.loads(pickle.dumps(operator))
    assert copy == operator
    batch = batch_of(operator, [*POOL])
    assert values(apply(copy, batch)) == values(apply(operator, batch))
    stored = operator.fingerprint()
    assert stored["version"] == operator.VERSION
    assert stored["op"] == name
    names = {info.alias or field for field, info in type(operator).model_fields.items()}
    assert names - stored.keys() == (operator.DECIDES_LATER if isinstance(operator, DuplicateKeys) else set())
    rebuilt = type(operator).model_validate({name: stored[name] for name in names & stored.keys()})
    assert rebuilt.fingerprint() == stored
    assert rebuilt == operator


@pytest.mark.parametrize("name", NAMES)
def test_rules_are_about_columns_the_operator_writes_and_answer_for_every_row(name: str) -> None:
    operator = default_of(name)
    written = apply(operator, batch_of(operator, [*POOL, None]))
    assert len({rule.name for rule in operator.rules()}) == len(operator.rules())
    for rule in operator.rules():
        assert rule.column in operator.writes().names
        assert rule.name in {*type(operator).model_fields, *getattr(operator, "FAULTS", ())}
        kept = rule.keeps(written[rule.column])
        assert kept.type == pa.bool_()
        assert kept.null_count == 0
        assert len(kept) == written.num_rows


@pytest.mark.parametrize("name", NAMES)
def test_as_renames_what_is_written(name: str) -> None:
    if issubclass(operators()[name], MediaDerivation):  # what it writes says which part of a file a record is
        with pytest.raises(ValidationError, match="under another name"):
            example_of(name, **{"as": "renamed"})
        return
    operator = example_of(name, **{"as": "renamed"})
    names = operator.writes().names
    assert all(column.startswith("renamed") for column in names)
    assert apply(operator, batch_of(operator, ["a b", None])).schema.names == names


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no_such_parameter"):
        operators()[name].model_validate({"no_such_parameter": 1})


def test_the_registry_is_sorted_and_holds_the_operators_of_the_reference_recipe() -> None:
    assert list(NAMES) == sorted(NAMES)
    assert {
        "dedup.exact", "dedup.lines", "dedup.minhash", "dedup.paragraphs", "score.grammatical_complexity",
        "score.token_count", "text.characters", "text.decontaminate", "text.extract_html", "text.language",
        "text.length", "text.lines", "text.normalize_unicode",
    } <= set(NAMES)  # fmt: skip


def moved(operator: Operator, rule: Rule) -> Operator | None:
    """The operator with another threshold of a rule, or with the rule off; None where neither is allowed."""
    parameter = getattr(operator, rule.name, None)
    nudged: list[Any] = [None]
    if isinstance(parameter, bool):
        nudged = [not parameter]
    elif isinstance(parameter, int | float):
        nudged = [parameter + 1, parameter / 2, None]
    elif isinstance(parameter, tuple | list):
        nudged = [[*parameter, "xx"], None]
    data = operator.model_dump(by_alias=True)
    for value in nudged:
        try:
            return type(operator).model_validate({**data, rule.name: value})
        except ValidationError:
            continue
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_threshold_changes_no_column(name: str) -> None:
    # Re-runs after a moved threshold take the stored columns over (pipeline.clean_reuse).
    operator = default_of(name)
    batch = batch_of(operator, POOL)
    before = values(apply(operator, batch))
    for rule in operator.rules():
        if rule.name in getattr(operator, "FAULTS", ()):
            other: Operator | None = operator.model_copy(update={"allow": (rule.name,)})
        else:
            assert rule.name in type(operator).model_fields, f"{rule.name}: a rule is named after its parameter"
            other = moved(operator, rule)
        assert other is not None, f"{rule.name}: no other threshold is accepted"
        assert values(apply(other, batch)) == before, rule.name
