"""Results of Great Expectations as gate results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from winnowry.core.jsonable import jsonable
from winnowry.gates.result import GateResult, Severity, Verdict

_SHOWN = 200  # characters of a sampled value
_SHOWN_VALUES = 50  # members of an observed list
_NOT_PARAMETERS = ("column", "column_A", "column_B", "column_list", "batch_id", "severity", "notes", "meta")
_DEFAULTS: Mapping[str, Any] = {"mostly": 1, "strict_min": False, "strict_max": False, "catch_exceptions": True}


def gate_result(suite: str, judged: Any) -> GateResult:
    """Read one ``ExpectationValidationResult``.

    Args:
        suite: name of its suite.
        judged: the result; one whose ``exception_info`` says that something raised is ``broken``, whatever its
            ``success`` says.
    """
    configuration = judged.expectation_config
    arguments = dict(configuration.kwargs)
    severity: Severity = "warning" if _text(configuration.severity) in ("warning", "info") else "critical"
    raised = _raised(judged.exception_info)
    verdict: Verdict
    if raised is not None:
        verdict = "broken"
    elif judged.success:
        verdict = "pass"
    else:
        verdict = "fail" if severity == "critical" else "warn"
    result = judged.result or {}
    column = _column(arguments)
    observed = _plain(result.get("observed_value"))
    count = result.get("unexpected_count")
    return GateResult(
        suite=suite,
        expectation=configuration.type,
        column=column,
        parameters={
            key: _plain(value)
            for key, value in arguments.items()
            if key not in _NOT_PARAMETERS and value is not None and _DEFAULTS.get(key, _DEFAULTS) != value
        },
        observed=observed,
        observed_number=_number(observed, result),
        unexpected_count=None if count is None else int(count),
        severity=severity,
        verdict=verdict,
        message=_message(column, configuration.type, verdict, raised, result, observed)
        + ("" if verdict in ("pass", "broken") else _beside(arguments, result, observed)),
        samples=_samples(result, column),
    )


def _column(arguments: Mapping[str, Any]) -> str | None:
    if arguments.get("column_list"):
        return ", ".join(map(str, arguments["column_list"]))
    pair = [arguments[key] for key in ("column_A", "column_B") if arguments.get(key)]
    return ", ".join(pair) if pair else arguments.get("column")


def _raised(info: Any) -> str | None:
    """What an expectation or its metrics raised: one record, or one per metric."""
    if not info:
        return None
    records = [info] if "raised_exception" in info else list(info.values())
    messages = [str(r.get("exception_message") or "no message") for r in records if r and r.get("raised_exception")]
    return "; ".join(dict.fromkeys(messages)) or None


def _number(observed: Any, result: Mapping[str, Any]) -> float | None:
    if isinstance(observed, int | float) and not isinstance(observed, bool):
        return float(observed)
    percent = result.get("unexpected_percent")
    return None if percent is None else float(percent) / 100.0


def _samples(result: Mapping[str, Any], column: str | None) -> list[dict[str, Any]]:
    rows = result.get("partial_unexpected_index_list")
    if rows is None:
        key = column or "value"
        rows = [{key: value} for value in result.get("partial_unexpected_list") or ()]
    rows = [row if isinstance(row, dict) else {"row": row} for row in rows]
    return [{name: _cut(_plain(value)) for name, value in row.items()} for row in rows]


def _cut(value: Any) -> Any:
    return value[:_SHOWN] + "…" if isinstance(value, str) and len(value) > _SHOWN else value


def _message(
    column: str | None,
    expectation: str,
    verdict: Verdict,
    raised: str | None,
    result: Mapping[str, Any],
    observed: Any,
) -> str:
    where = f"{column}: " if column else ""
    what = re.sub(r"^expect_(column_values|column_pair_values|column|table|compound_columns)?_?to_", "", expectation)
    what = what.removeprefix("expect_").replace("_", " ")
    if raised is not None:
        return f"{where}{what}: could not be judged: {raised}"
    if "details" in result and isinstance(result["details"], Mapping) and result["details"].get("message"):
        return str(result["details"]["message"])
    count, total = result.get("unexpected_count"), result.get("element_count")
    if count is not None and total is not None:
        text = f"{where}{what}: {count:,} of {total:,} rows do not meet it"
        shown = [repr(_cut(_plain(value))) for value in (result.get("partial_unexpected_list") or ())[:3]]
        return f"{text}, such as {', '.join(shown)}" if shown and verdict != "pass" else text
    if observed is not None:
        return f"{where}{what}: observed {observed}"
    return f"{where}{what}: {verdict}"


def _beside(arguments: Mapping[str, Any], result: Mapping[str, Any], observed: Any) -> str:
    """What was observed beside what was asked for, e.g. ``: observed 0.62, at most 0.5 allowed``."""
    allowed = asked_for(arguments)
    if not allowed:
        return ""
    percent = result.get("unexpected_percent")
    if percent is not None:
        share = f"{1 - float(percent) / 100:.4g} of the rows meet it"
        return f": observed {share}, {allowed}"
    if isinstance(observed, int | float) and not isinstance(observed, bool):
        return f": observed {observed:.6g}, {allowed}"
    return f": {allowed}"


def asked_for(arguments: Mapping[str, Any]) -> str:
    """What an expectation asks for, in words, from its arguments; empty where they say nothing of the kind.

    >>> asked_for({"max_fraction": 0.5})
    'at most 0.5 allowed'
    >>> asked_for({"column": "size", "min_value": 1, "max_value": 9, "mostly": 0.9})
    'a value from 1 to 9 in at least 0.9 of the rows required'
    """
    parts = [phrase for phrase in (*_bounds(arguments), _set(arguments)) if phrase]
    if "mostly" in arguments and arguments["mostly"] != 1:
        in_most = f"in at least {_word(arguments['mostly'])} of the rows"
        return f"{', '.join(parts)} {in_most} required".strip()
    if not parts:
        return ""
    return f"{', '.join(parts)} {'allowed' if parts[-1].startswith(('at most', 'a change')) else 'required'}"


_MEASURES = {"value": "a value", "relative_change": "a change"}


def _bounds(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments ``min_X`` and ``max_X`` as one phrase an X; of a bare fraction without a noun."""
    names = [key[4:] for key in arguments if key.startswith(("min_", "max_"))]
    phrases = []
    for name in dict.fromkeys(names):
        if name == "partitions":
            continue  # from how many on there is anything to compare
        low, high = (arguments.get(f"{bound}_{name}") for bound in ("min", "max"))
        noun = f"{_MEASURES[name]} " if name in _MEASURES else ""
        of = "of " if name == "relative_change" else ""
        if low is not None and high is not None:
            phrases.append(f"{noun}from {_word(low)} to {_word(high)}")
        elif low is not None:
            phrases.append(f"{noun}{of}{'more than' if arguments.get('strict_min') else 'at least'} {_word(low)}")
        elif high is not None:
            phrases.append(f"{noun}{of}{'less than' if arguments.get('strict_max') else 'at most'} {_word(high)}")
    return phrases


def _set(arguments: Mapping[str, Any]) -> str:
    values = arguments.get("value_set")
    if values:
        listed = [str(value) for value in values]
        return f"one of {', '.join(listed[:5])}" + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
    if arguments.get("regex") is not None:
        return f"a match of {arguments['regex']}"
    return ""


def _word(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    return jsonable(value, longest_list=_SHOWN_VALUES)


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))
