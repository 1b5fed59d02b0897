"""What an added column is: an SQL expression, an operator's output or a Python function over columns of its table."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from winnowry.columns.limit import time_limit
from winnowry.columns.python_function import load_function, trust
from winnowry.core.column_names import wrong_name
from winnowry.core.errors import UsageError
from winnowry.core.formats import from_document, to_document
from winnowry.lakehouse.blobs import blob_columns, open_blobs
from winnowry.operators.base import Derivation, FittedOperator, Operator
from winnowry.operators.registry import operators
from winnowry.recipe.document import parse_value
from winnowry.recipe.messages import did_you_mean, field_names

Kind = Literal["sql", "operator", "python"]
OnError = Literal["fail", "null"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(r"'(?:[^']|'')*'")
_RUST_PLACE = re.compile(r",? \S+\.rs:\d+:\d+$")
_SAMPLE_ROWS = 64


@dataclass(frozen=True)
class Resources:
    """How a column is computed; its values do not depend on it.

    Attributes:
        batch_rows: rows of one call of a function; None: 1,024, or 32 where it reads large objects.
        workers: processes that compute; None: as many as pay off. 1 for a function that needs a GPU alone.
        timeout_s: seconds a function may take for a batch; 0: no limit.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    batch_rows: int | None = None
    workers: int | None = None
    timeout_s: float = 900.0
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class ColumnSpec:
    """A column as it is computed.

    Attributes:
        name: its name in the table.
        table: the table.
        kind: what ``source`` is.
        source: the SQL expression, the operator's fingerprint as JSON, or ``FILE:FUNCTION``.
        inputs: columns it reads.
        arrow: the field (name and type), serialised by Arrow, in base 64.
        code: hash of what computes it, besides ``source``: the Python file; empty otherwise.
        where: only rows for which this SQL predicate holds get a value.
        max_null_fraction: of the rows that should have a value, at most this share may have none (null or NaN).
        on_error: ``fail`` stops at the first row that the function fails on; ``null`` leaves that row without a value,
            notes it, and goes on (the gate still counts it).
        resources: how it is computed, now and for later rows.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    name: str
    table: str
    kind: Kind
    source: str
    inputs: tuple[str, ...]
    arrow: str
    code: str = ""
    where: str | None = None
    max_null_fraction: float = 0.0
    on_error: OnError = "fail"
    resources: Resources = Resources()
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def field(self) -> pa.Field:
        """Name and Arrow type."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.arrow))).field(0)

    @cached_property
    def version(self) -> str:
        """Hash of everything the values depend on; of a Python file its content, not where it lies."""
        fields = asdict(self)
        del fields["resources"], fields["unknown_keys"]  # what an older reader may ignore changes no value
        if self.kind == "python":
            fields["source"] = self.source.rpartition(":")[2]
        if self.on_error == "fail":  # columns that were added before there was a choice keep their version
            del fields["on_error"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The specification as data."""
        document: dict[str, Any] = to_document(self)
        return document

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ColumnSpec:
        """Read what :meth:`to_json` wrote."""
        resources = from_document(Resources, data.get("resources", {}))
        return from_document(ColumnSpec, data, inputs=tuple(data["inputs"]), resources=resources)


def serialised(field: pa.Field) -> str:
    """A field as text, for :attr:`ColumnSpec.arrow`."""
    return base64.b64encode(pa.schema([field]).serialize().to_pybytes()).decode()


def check_name(name: str) -> None:
    """Refuse a name that SQL would have to quote or that Lance keeps for itself.

    Raises:
        UsageError: with what a name may be.
    """
    expected = wrong_name(name) or (None if _NAME.fullmatch(name) else "a letter, then letters, digits and _")
    if expected is not None:
        raise UsageError(f"column name {name!r}: expected {expected}")


def check_where(dataset: Any, where: str | None) -> None:
    """Refuse a predicate that is not valid on this table.

    Raises:
        UsageError: with what is wrong.
    """
    if where is None:
        return
    try:
        dataset.scanner(columns=[], filter=where, limit=1, with_row_id=True).to_table()
    except (ValueError, OSError) as error:
        reason = _reason(error)
        raise UsageError(f"where {where!r}: {reason}; columns are {', '.join(dataset.schema.names)}") from error


def _reason(error: Exception) -> str:
    """Lance's message without the place in its source."""
    return _RUST_PLACE.sub("", str(error).split("\n")[0])


def sql_column(dataset: Any, table: str, name: str, expression: str, **options: Any) -> ColumnSpec:
    """A column given by an SQL expression over the table's columns.

    Raises:
        UsageError: the expression is not valid on this table.
    """
    try:
        scanner = dataset.scanner(columns={name: expression}, limit=0)
        kind = scanner.to_table().schema.field(name).type
    except (ValueError, OSError) as error:
        reason = _reason(error)
        raise UsageError(f"sql {expression!r}: {reason}; columns are {', '.join(dataset.schema.names)}") from error
    words = set(_WORD.findall(_STRING.sub("", expression)))
    inputs = tuple(column for column in dataset.schema.names if column in words)
    return ColumnSpec(name, table, "sql", expression, inputs, serialised(pa.field(name, kind)), **options)


def operator_column(dataset: Any, table: str, name: str, text: str, **options: Any) -> ColumnSpec:
    """A column that an operator writes.

    Args:
        dataset: the table.
        table: its name.
        name: of the column; where the operator writes several, the one of this name.
        text: ``OP`` or ``OP:key=value,…``; values as in YAML.
        options: the other attributes of the specification.

    Raises:
        UsageError: unknown operator or parameter, a column it reads is missing, or it writes several and none of
            this name.
    """
    return from_operator(dataset, table, name, _operator(text), **options)


def from_operator(dataset: Any, table: str, name: str, operator: Operator, **options: Any) -> ColumnSpec:
    """As :func:`operator_column`, for an operator that is already made."""
    if isinstance(operator, FittedOperator):
        raise UsageError(f"{operator.op} needs statistics of the corpus: put it into `score` of the recipe")
    if isinstance(operator, Derivation):
        raise UsageError(f"{operator.op} makes records of records: put it into `clean` of the recipe")
    missing = [field.name for field in operator.reads() if field.name not in dataset.schema.names]
    if missing:
        raise UsageError(
            f"{operator.op} reads {', '.join(missing)}, which {table} does not have"
            + did_you_mean(missing[0], dataset.schema.names)
        )
    written = operator.writes()
    if len(written) == 1:
        field = written.field(0)
    elif name in written.names:
        field = written.field(name)
    else:
        raise UsageError(f"{operator.op} writes {', '.join(written.names)}: name the column as one of them")
    source = json.dumps({"operator": operator.fingerprint(), "column": field.name}, sort_keys=True)
    return ColumnSpec(
        name, table, "operator", source, tuple(operator.reads().names), serialised(field.with_name(name)), **options
    )


def _operator(text: str) -> Operator:
    from pydantic import ValidationError

    name, _, rest = text.partition(":")
    known = operators()
    if name not in known:
        near = did_you_mean(name, known) or f"; operators are {', '.join(known)}"
        raise UsageError(f"op: unknown operator {name!r}{near}")
    parameters: dict[str, Any] = {"op": name}
    for part in re.split(r",(?=\s*\w+=)", rest) if rest else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"op {text!r}: expected OP:key=value,key=value; got {part!r}")
        try:
            parameters[key.strip()] = parse_value(value)
        except ValueError as error:
            raise UsageError(f"op {text!r}: {key.strip()}: {error}") from error
    try:
        return known[name].model_validate_json(json.dumps(parameters), strict=True)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or name}: {item['msg']}" for item in error.errors(include_url=False)
        )
        raise UsageError(f"op {text!r}: {wrong}") from error


def operator_of(spec: ColumnSpec) -> tuple[Operator, str]:
    """The operator of a specification, and the column of it that is meant.

    Raises:
        UsageError: the operator is not installed, or it or a file that it reads is another one than the column was
            made with.
    """
    source = json.loads(spec.source)
    parameters = dict(source["operator"])
    version = parameters.pop("version")
    cls = operators().get(parameters["op"])
    if cls is None:
        raise UsageError(f"column {spec.name} of {spec.table}: operator {parameters['op']!r} is not installed")
    fields = field_names(cls)
    operator = cls.model_validate({name: value for name, value in parameters.items() if name in fields})
    if version != operator.VERSION:
        raise UsageError(
            f"column {spec.name} of {spec.table} was computed by version {version} of {operator.op}, this is version "
            f"{operator.VERSION}: drop the column and add it again"
        )
    # What a fingerprint holds beside the parameters is of the contents of files.
    now = operator.fingerprint()
    changed = [name for name, value in parameters.items() if name not in fields and now.get(name) != value]
    if changed:
        paths = ", ".join(path.declared for path in operator.input_paths())
        raise UsageError(
            f"column {spec.name} of {spec.table}: {paths} changed since the column was added ({', '.join(changed)}): "
            "restore it, or drop the column and add it again"
        )
    return operator, str(source["column"])


def python_column(dataset: Any, table: str, name: str, place: str, *, type_: str | None, **options: Any) -> ColumnSpec:
    """A column that a Python function computes; its parameters are the names of the columns it reads.

    Args:
        dataset: the table.
        table: its name.
        name: of the column.
        place: ``FILE:FUNCTION``.
        type_: Arrow type such as ``float64``; None: that of the function's values for some rows.
        options: the other attributes of the specification.

    Raises:
        UsageError: no such file or function, a parameter that is no column, or no value that shows the type.
    """
    file, _, function_name = place.rpartition(":")
    if not file:
        raise UsageError(f"python {place!r}: expected FILE:FUNCTION")
    path = Path(file).resolve()
    function, code = load_function(path, function_name)
    trust(path, code)
    inputs = tuple(inspect.signature(function).parameters)
    missing = [column for column in inputs if column not in dataset.schema.names]
    if missing or not inputs:
        hint = did_you_mean(missing[0], dataset.schema.names) if missing else ""
        lacking = f"{table} has no {', '.join(missing)}{hint}" if missing else "it has none"
        raise UsageError(f"{place}: its parameters name the columns it reads; {lacking}")
    limit_s = options.get("resources", Resources()).timeout_s
    kind = _type_named(type_) if type_ is not None else _type_of_values(function, dataset, inputs, place, limit_s)
    source = f"{path}:{function_name}"
    return ColumnSpec(name, table, "python", source, inputs, serialised(pa.field(name, kind)), code, **options)


def _type_named(name: str) -> pa.DataType:
    try:
        return pa.type_for_alias(name)
    except ValueError as error:
        raise UsageError(
            f"type {name!r}: no Arrow type has this name; examples: float64, int64, string, bool"
        ) from error


def _type_of_values(function: Any, dataset: Any, inputs: tuple[str, ...], place: str, limit_s: float) -> pa.DataType:
    objects = [name for name in blob_columns(dataset.schema) if name in inputs]
    plain = [column for column in inputs if column not in objects] or ["record_id"]
    sample = dataset.to_table(columns=plain, limit=_SAMPLE_ROWS, with_row_address=True).combine_chunks()
    arguments: dict[str, Any] = {name: sample[name].combine_chunks() for name in inputs if name not in objects}
    addresses = sample["_rowaddr"].combine_chunks()
    arguments |= {column: open_blobs(dataset, column, addresses) for column in objects}
    with time_limit(limit_s, f"{place}, for {sample.num_rows} rows that tell its type"):
        values = function(**arguments)
    kind = values.type if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values).type
    if pa.types.is_null(kind):
        raise UsageError(
            f"{place}: no value in the first {sample.num_rows} rows tells the type; name it (`type`, --type)"
        )
    return kind
