"""Mistakes of a recipe whose parts are valid each on its own; checked before any byte is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import pyarrow as pa

from winnowry.core.tables import RAW
from winnowry.operators.base import Derivation, Operator
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.media.operator import MediaOperator
from winnowry.operators.media.views import SPAN
from winnowry.recipe.check_columns import check_columns
from winnowry.recipe.check_comparison import check_comparison
from winnowry.recipe.check_fields import carried_columns, check_fields
from winnowry.recipe.check_gates import check_gates
from winnowry.recipe.check_names import check_names
from winnowry.recipe.columns import AddedColumn, ColumnTable
from winnowry.recipe.gates import Gates
from winnowry.recipe.messages import Problem, did_you_mean
from winnowry.recipe.model import Publish, Recipe, Source
from winnowry.recipe.tables import cleaned_columns, columns_written
from winnowry.records.kinds import TEXT, Kind, kind_named
from winnowry.sampling.spec import SampleSpec


def _source_columns(kind: Kind) -> set[str]:
    """What the first operator of `clean` can read."""
    arrived = {*RAW.names} - {"payload", "promotion_id"}
    return arrived | ({"text"} if kind.has_text else {"payload", "size"}) | {field.name for field in kind.columns}


def check(recipe: Recipe) -> list[Problem]:
    """All problems of a recipe made in Python; :func:`~winnowry.recipe.load.load_recipe` checks by itself."""
    problems = check_parts(recipe.sources, recipe.clean, recipe.score, recipe.sample, recipe.columns or ())
    problems += check_release(recipe.sources, recipe.clean, recipe.score, recipe.sample, recipe.gates, recipe.publish)
    return problems + check_comparison(recipe.comparison, recipe.gates, recipe.sample, recipe.kind)


def check_release(
    sources: Sequence[Source | None],
    clean: Sequence[Operator | None],
    score: Sequence[Operator | None],
    sample: SampleSpec | None,
    gates: Gates | None,
    publish: Publish | None,
) -> list[Problem]:
    """All problems of gates and of the release; None stands for a part with a mistake of its own, or a missing one."""
    kind = kind_of(sources)
    known = None if None in clean or None in sources else _cleaned_names(kind, sources, clean)
    leaves_raw = kind.has_text or bool(clean or score) or sample is not None
    scored = None if None in score else columns_written(score)
    return check_gates(
        gates, publish, known, scored, leaves_raw=leaves_raw, has_releases=kind.has_text or sample is not None
    )


def _cleaned_names(kind: Kind, sources: Sequence[Source | None], clean: Sequence[Operator | None]) -> set[str]:
    return {*cleaned_columns(kind).names} | _beside(sources) | carried_columns(sources) | columns_written(clean)


def _beside(sources: Sequence[Source | None]) -> set[str]:
    """What records have beside their bytes, where a source may have it: a text, a span."""
    options = [source.options for source in sources if source is not None]
    text = {"text"} if any(format.carries_text for format in options) else set()
    return text | ({SPAN} if any(format.carries_span for format in options) else set())


def check_parts(
    sources: Sequence[Source | None],
    clean: Sequence[Operator | None],
    score: Sequence[Operator | None],
    sample: SampleSpec | None,
    columns: Sequence[AddedColumn | None] = (),
) -> list[Problem]:
    """All problems between the parts.

    Args:
        sources: None stands for a part with a mistake of its own; what depends on it is not checked.
        clean: as above.
        score: as above.
        sample: None also where the recipe has none.
        columns: None as above.
    """
    kind = kind_of(sources)
    problems = _sources(sources) + check_kind(sources)
    carried = carried_columns(sources)
    leaves_raw = kind.has_text or bool(clean or score) or sample is not None
    problems += check_fields(sources, {"clean": clean, "score": score}, kind, leaves_raw)
    beside = _beside(sources)
    problems += _chain("clean", clean, _source_columns(kind) | beside | carried)
    cleaned = None if None in clean else _cleaned_names(kind, sources, clean)
    problems += _chain("score", score, cleaned)
    problems += check_names({"clean": clean, "score": score}, columns, kind, carried)
    problems += _derivations(clean, score)
    problems += _keepers(kind, clean, None if None in score else columns_written(score))
    if sample is not None and None not in score:
        own = {field.name: field.type for field in kind.columns}
        cleaned_types = own | dict.fromkeys(carried, pa.string()) | _types(clean)
        unknown = None in clean or None in sources  # what a source with a mistake carries is not known
        problems += _sample(kind, sample, score, cleaned_types, unknown)
    problems += _tables(kind, (*clean, *score), sample, columns)
    if sample is not None:
        problems += _uncounted(kind, clean)
    return problems + check_columns(columns, clean, score, kind, carried, beside)


def kind_of(sources: Sequence[Source | None]) -> Kind:
    """The kind of the first source that has no mistake."""
    return next((kind_named(source.options.record_kind) for source in sources if source is not None), TEXT)


def check_kind(sources: Sequence[Source | None]) -> list[Problem]:
    """Problems of sources that do not hold the same kind of record."""
    valid = [(index, source) for index, source in enumerate(sources) if source is not None]
    first: Source | None = None
    for index, source in valid:
        if first is None:
            first = source
        name, other = source.options.record_kind, first.options.record_kind
        if name != other:
            message = (
                f"holds records of kind {name}, {first.name!r} of kind {other}: the sources of a corpus make one "
                "table; give each kind a corpus of its own"
            )
            return [Problem(("sources", index, "format"), message)]
    return []


def tables_of(kind: Kind, operators: Sequence[Operator | None], sample: SampleSpec | None) -> tuple[str, ...]:
    """The tables that columns can be added to."""
    further = kind.has_text or bool(operators) or sample is not None
    released = kind.has_text or sample is not None
    arrived, cleaned, scored, published = get_args(ColumnTable)
    return (arrived, *((cleaned, scored) if further else ()), *((published,) if released else ()))


def _tables(
    kind: Kind,
    operators: Sequence[Operator | None],
    sample: SampleSpec | None,
    columns: Sequence[AddedColumn | None],
) -> list[Problem]:
    """Columns of tables that the recipe does not have."""
    tables = tables_of(kind, operators, sample)
    return [
        Problem(
            ("columns", index, "table"),
            f"the recipe has no table {column.table}; it has {', '.join(tables)}. Files go on from `raw` where the "
            "recipe has `clean`, `score` or `sample`, and are published where it has `sample`",
        )
        for index, column in enumerate(columns)
        if column is not None and column.table not in tables
    ]


def _sources(sources: Sequence[Source | None]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, source in enumerate(sources):
        if source is None:
            continue
        if source.name in first:
            problems.append(
                Problem(("sources", index, "name"), f"sources.{first[source.name]} is named {source.name!r} already")
            )
        first.setdefault(source.name, index)
        if source.partition.by == "event_time" and source.fields.event_time is None:
            problems.append(
                Problem(
                    ("sources", index, "partition"),
                    "`by: event_time` needs `fields: {event_time: FIELD}`, the field that holds it; "
                    "`partition: none` puts all records into one partition",
                )
            )
    known = [(index, source.partition) for index, source in enumerate(sources) if source is not None]
    for index, partition in known[1:]:
        one, other = known[0][1], partition
        if (one.by, one.every if one.by == "event_time" else None) != (
            other.by,
            other.every if other.by == "event_time" else None,
        ):
            problems.append(
                Problem(
                    ("sources", index, "partition"),
                    f"not cut as sources.{known[0][0]} is (by {one.by}"
                    f"{', every ' + one.every if one.by == 'event_time' else ''}): "
                    "the sources of a corpus share partitions",
                )
            )
        elif bool(one.keys) != bool(other.keys):
            problems.append(
                Problem(("sources", index, "partition"), "either every source of a corpus declares `keys`, or none")
            )
    return problems


def _chain(stage: str, operators: Sequence[Operator | None], have: set[str] | None) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[tuple[str, str | None], int] = {}
    columns = set(have) if have is not None else None
    for index, operator in enumerate(operators):
        if operator is None:
            columns = None  # what it would have written is unknown
            continue
        name = (operator.op, operator.as_)
        if name in first:
            problems.append(
                Problem((stage, index), f"{stage}.{first[name]} is {operator.op!r} already; give this one a name: `as`")
            )
        first.setdefault(name, index)
        if columns is not None:
            problems += [
                Problem(
                    (stage, index),
                    f"{operator.op} reads column {column!r}, which nothing before it writes"
                    + did_you_mean(column, columns),
                )
                for column in operator.reads().names
                if column not in columns
            ]
            columns |= set(operator.writes().names)
    return problems


def _derivations(clean: Sequence[Operator | None], score: Sequence[Operator | None]) -> list[Problem]:
    """Records are made of records in `clean` alone, and compared once they are made."""
    problems = [
        Problem(("score", index), f"{operator.op} makes records of records: scores are of records, put it into `clean`")
        for index, operator in enumerate(score)
        if isinstance(operator, Derivation)
    ]
    last = max((index for index, operator in enumerate(clean) if isinstance(operator, Derivation)), default=-1)
    for index, operator in enumerate(clean[: max(last, 0)]):
        if isinstance(operator, DuplicateKeys):
            later = clean[last]
            assert later is not None
            message = (
                f"{operator.op} stands before {later.op} (clean.{last}): all records made of one would have its keys, "
                "and be duplicates of each other; move it behind"
            )
            problems.append(Problem(("clean", index), message))
    return problems


def _keepers(kind: Kind, clean: Sequence[Operator | None], scores: set[str] | None) -> list[Problem]:
    """Groups are formed over the keys of all operators, from ``cleaned``: one policy, by a number that is there."""
    problems = []
    key_operators = [(index, operator) for index, operator in enumerate(clean) if isinstance(operator, DuplicateKeys)]
    for index, operator in key_operators[1:]:
        first_index, first = key_operators[0]
        if (operator.keep, operator.by) != (first.keep, first.by):
            message = (
                f"{_policy(operator)}, but clean.{first_index} ({first.op}) {_policy(first)}; a group may be held "
                "together by the keys of both, so `keep` and `by` must be the same in each"
            )
            problems.append(Problem(("clean", index, "keep" if operator.keep != first.keep else "by"), message))
    types = {field.name: field.type for field in cleaned_columns(kind)}
    types |= {field.name: field.type for operator in clean if operator is not None for field in operator.writes()}
    numbers = {name for name, kind in types.items() if _is_number(kind)}
    for index, operator in key_operators:
        by = operator.by
        if by is None or by in numbers or (by not in types and None in clean):
            continue
        if by in types:
            message = f"column {by!r} is {types[by]}, expected a number; numbers are {', '.join(sorted(numbers))}"
        elif scores is not None and by in scores:
            message = (
                f"column {by!r} is written in `score`, after keepers are decided; move the operator that writes it to "
                "`clean`"
            )
        else:
            hint = did_you_mean(by, numbers) or f"; numbers are {', '.join(sorted(numbers))}"
            message = f"no operator of `clean` writes {by!r}{hint}"
        problems.append(Problem(("clean", index, "by"), message))
    return problems


def _policy(operator: DuplicateKeys) -> str:
    return f"keeps the {operator.keep}" + (f" by {operator.by!r}" if operator.by is not None else "")


def _sample(
    kind: Kind,
    sample: SampleSpec,
    score: Sequence[Operator | None],
    cleaned: Mapping[str, pa.DataType],
    incomplete: bool,
) -> list[Problem]:
    problems = []
    scores = _types(score)
    strata = {**dict.fromkeys(("partition", "source", "license"), pa.string()), **cleaned, **scores}
    strata.pop("text", None)
    listed = ", ".join(sorted(scores)) or "none"
    if sample.by is not None and sample.by not in scores:
        hint = did_you_mean(sample.by, scores, 0.5) or f"; its columns are {listed}"
        problems.append(Problem(("sample", "by"), f"no operator of `score` writes {sample.by!r}{hint}"))
    elif sample.by is not None and not _is_number(scores[sample.by]):
        message = f"column {sample.by!r} is {scores[sample.by]}, expected a number"
        problems.append(Problem(("sample", "by"), message))
    for index, name in enumerate(sample.strata):
        at = ("sample", "strata", index)
        if name not in strata and not incomplete:
            hint = did_you_mean(name, strata) or f"; there are {', '.join(sorted(strata))}"
            problems.append(Problem(at, f"no operator writes {name!r}{hint}"))
        elif name in strata and pa.types.is_nested(strata[name]):
            problems.append(Problem(at, f"column {name!r} is {strata[name]}; strata are named by single values"))
        elif name in sample.bins and name in strata and not _is_number(strata[name]):
            message = f"column {name!r} is {strata[name]}; only numbers are cut into ranges"
            problems.append(Problem(("sample", "bins", name), message))
    problems += _size(kind, sample, {*scores}, {*cleaned})
    return problems


def _uncounted(kind: Kind, clean: Sequence[Operator | None]) -> list[Problem]:
    """Operators that count a size and keep records that they cannot count: no budget can hold those."""
    return [
        Problem(
            ("clean", index),
            f"keeps records without {kind.size_column}, which no budget can hold: let {operator.op} refuse what it "
            "cannot read, or leave `sample` out",
        )
        for index, operator in enumerate(clean)
        if operator is not None and _keeps_uncounted(kind, operator)
    ]


def _keeps_uncounted(kind: Kind, operator: Operator) -> bool:
    if operator.op == kind.counted_by:
        return not operator.rules()
    refuses = getattr(operator, "decodable", True)  # as operators on media call what does
    return isinstance(operator, MediaOperator) and kind.size_column in operator.writes().names and not refuses


def _size(kind: Kind, sample: SampleSpec, scores: set[str], cleaned: set[str]) -> list[Problem]:
    """A budget in another unit than the kind's, or in one that nothing counts."""
    problems = []
    unit = sample.unit
    if unit is not None and unit != kind.unit and not sample.counts_records(kind):
        wrong = sample.unit_option
        right = f"`fraction` or `budget: {{{kind.unit}: …}}`"
        message = (
            f"`{wrong}` is a budget in {unit}; records of kind {kind.name} are counted in {kind.unit}: say {right}"
        )
        problems.append(Problem(("sample", wrong), message))
    counted = {*scores, *(() if kind.in_tokens else {*cleaned_columns(kind).names, *cleaned})}
    if kind.size_column not in counted:
        place = "score" if kind.in_tokens else "clean"
        add = f"; add {{op: {kind.counted_by}}}" if kind.counted_by is not None else ""
        problems.append(Problem((place,), f"nothing writes {kind.size_column}, the unit of the budget{add}", True))
    return problems


def _types(operators: Iterable[Operator | None]) -> dict[str, pa.DataType]:
    return {field.name: field.type for operator in operators if operator is not None for field in operator.writes()}


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
