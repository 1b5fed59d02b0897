"""Row conditions of expectations as SQL predicates that pandas' ``DataFrame.query`` would agree with.

Every predicate is two-valued: a comparison with a missing value is false, and ``!=`` and ``not in`` are true, as in
pandas.
"""

from __future__ import annotations

import ast
from typing import Any

import pyarrow as pa

from winnowry.gates import sql
from winnowry.gates.sql import Unanswerable

_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "IN",
    ast.NotIn: "NOT_IN",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def row_condition_sql(condition: Any, schema: pa.Schema) -> str | None:
    """Translate a row condition.

    Args:
        condition: None, a string in the syntax of ``DataFrame.query``, a Great Expectations condition, or its dict.
        schema: columns of the table.

    Returns:
        A predicate, or None for no condition.

    Raises:
        Unanswerable: the condition uses more than comparisons with literals, ``isnull``, and, or, not.
    """
    if condition is None or condition == "":
        return None
    from winnowry.gates import native

    if isinstance(condition, dict):
        condition = native.deserialize_row_condition(condition)
    if isinstance(condition, native.PassThroughCondition):
        condition = condition.pass_through_filter
    if isinstance(condition, str):
        return _query(condition, schema)
    return _tree(condition, schema)


def columns_of(condition: Any, schema: pa.Schema) -> list[str]:
    """Columns of the table that a condition mentions, so that pandas can be given these and no others."""
    shown = repr(condition)
    return [name for name in schema.names if name in shown]


def _tree(condition: Any, schema: pa.Schema) -> str:
    from winnowry.gates import native

    if isinstance(condition, native.AndCondition | native.OrCondition):
        joint = " AND " if isinstance(condition, native.AndCondition) else " OR "
        return "(" + joint.join(_tree(part, schema) for part in condition.conditions) + ")"
    if isinstance(condition, native.NullityCondition):
        missing = sql.is_null(condition.column.name, schema)
        return missing if condition.is_null else f"(NOT {missing})"
    if isinstance(condition, native.ComparisonCondition):
        operator = getattr(condition.operator, "value", condition.operator)
        return _compare(condition.column.name, str(operator), condition.parameter, schema)
    raise Unanswerable(f"row condition of type {type(condition).__name__}")


def _compare(name: str, operator: str, parameter: Any, schema: pa.Schema) -> str:
    kind = sql.column_type(name, schema)
    column = sql.value(name, schema)
    if operator in ("IN", "NOT_IN"):
        inside = f"COALESCE({sql.in_set(f'({column})', parameter, kind)}, FALSE)"
        return inside if operator == "IN" else f"(NOT {inside})"
    right = sql.literal(parameter, kind)
    if operator == "!=":
        return f"COALESCE(({column}) <> {right}, TRUE)"
    symbol = "=" if operator == "==" else operator
    if symbol not in ("=", "<", "<=", ">", ">="):
        raise Unanswerable(f"operator {operator!r} in a row condition")
    return f"COALESCE(({column}) {symbol} {right}, FALSE)"


def _query(query: str, schema: pa.Schema) -> str:
    """Translate the syntax of ``DataFrame.query`` as far as it is also an expression of Python."""
    if "`" in query or "@" in query:
        raise Unanswerable(f"row condition {query!r}: quoted names and variables")
    try:
        tree = ast.parse(query.strip(), mode="eval")
    except SyntaxError as error:
        raise Unanswerable(f"row condition {query!r} is not an expression") from error
    return _node(tree.body, query, schema)


def _node(node: ast.expr, query: str, schema: pa.Schema) -> str:
    if isinstance(node, ast.BoolOp):
        joint = " AND " if isinstance(node.op, ast.And) else " OR "
        return "(" + joint.join(_node(part, query, schema) for part in node.values) + ")"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"(NOT {_node(node.operand, query, schema)})"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        operator = _OPERATORS.get(type(node.ops[0]))
        left, right = node.left, node.comparators[0]
        if operator is not None and isinstance(left, ast.Name):
            return _compare(left.id, operator, _constant(right, query), schema)
        if operator in _MIRRORED and isinstance(right, ast.Name):
            return _compare(right.id, _MIRRORED[operator], _constant(left, query), schema)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        owner, method = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and method in ("isnull", "isna", "notnull", "notna"):
            missing = sql.is_null(owner.id, schema)
            return missing if method.startswith("is") else f"(NOT {missing})"
    raise Unanswerable(f"row condition {query!r}: only comparisons of a column with literals, joined by and, or, not")


def _constant(node: ast.expr, query: str) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise Unanswerable(f"row condition {query!r}: columns are compared with literals only") from error
