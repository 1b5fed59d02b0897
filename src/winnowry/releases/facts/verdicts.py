"""What gates said up to a release, and what its comparison found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from winnowry.core.sql import literal
from winnowry.lakehouse.lake import OLD_GATES_TIME
from winnowry.reading.session import Session
from winnowry.releases.as_of import ReleaseTables

if TYPE_CHECKING:
    from winnowry.releases.model import Release

_SHOWN = 25  # verdicts that were no pass: failures first, then the newest
_OWN = 80  # expectations of the release's own gate


def gates(session: Session, release: Release) -> dict[str, Any]:
    """Verdicts until the release was made.

    Args:
        session: the session.
        release: the release.

    Returns:
        ``suites``: by table and suite the number of verdicts of each kind and when they were given; ``notable``: those
        that were no pass, failures first; ``own``: the expectations that this release had to meet.
    """
    tables = session.tables
    if not tables.has("gates"):
        return {"suites": [], "notable": [], "n_notable": 0, "own": []}
    at = "judged_at" if tables.has("gates", "judged_at") else OLD_GATES_TIME
    until, parameters = "", []
    if release.created_at is not None:
        until, parameters = f' WHERE "{at}" <= ?', [release.created_at]
    verdicts = ", ".join(
        f"COUNT(*) FILTER (WHERE verdict IN ({', '.join(map(literal, verdicts))})) AS {name}"
        for verdicts, name in (
            (("pass",), "passed"),
            (("warn",), "warned"),
            (("fail", "accepted"), "failed"),
            (("broken",), "broken"),
        )
    )
    suites = session.rows(
        f'SELECT "table", suite, {verdicts}, MIN("{at}") AS first, MAX("{at}") AS last FROM gates{until} '
        f'GROUP BY "table", suite ORDER BY MIN("{at}"), suite',
        parameters,
    )
    more = f"{until} {'AND' if until else ' WHERE'} verdict <> 'pass'"
    notable = session.rows(
        f'SELECT "{at}" AS judged_at, promotion_id, "table", partition, suite, expectation, "column", severity, '
        f"verdict, LEFT(message, 400) AS message FROM gates{more} ORDER BY verdict = 'warn', "
        f'"{at}" DESC, partition LIMIT {_SHOWN}',
        parameters,
    )
    own = session.rows(
        'SELECT suite, expectation, "column", parameters, LEFT(observed, 200) AS observed, severity, verdict, '
        "LEFT(message, 400) AS message FROM gates WHERE promotion_id = ? "
        f'ORDER BY suite, expectation, "column" LIMIT {_OWN}',
        [release.promotion_id or ""],
    )
    for row in own:
        row["parameters"] = _parsed(row["parameters"])
    return {
        "suites": [_timed(row, "first", "last") for row in suites],
        "notable": [_timed(row, "judged_at") for row in notable],
        "n_notable": sum(row["warned"] + row["failed"] + row["broken"] for row in suites),
        "own": own,
    }


def comparison(tables: ReleaseTables) -> dict[str, Any] | None:
    """The newest comparison when the release was made; None without any.

    Returns:
        Its summary, with ``outcome`` (better, worse, no difference, inconclusive), ``compared_at`` and whether it is
        ``of_this_selection``. Of a comparison by an older method no difference is given: its intervals were too narrow.
    """
    record = tables.of_stage("comparison")
    summary = record.facts.get("comparison") if record is not None else None
    if record is None or not isinstance(summary, dict):
        return None
    at = None if record.promoted_at is None else datetime.fromtimestamp(record.promoted_at, UTC).isoformat()
    published = tables.of_stage("published")
    drawn, judged = (one.lineage.get("inputs", {}).get("sampled") if one is not None else None
                     for one in (published, record))  # fmt: skip
    return {
        **(summary if "draw_share" in summary else _without_differences(summary)),
        "compared_at": at,
        "of_this_selection": drawn is not None and drawn == judged,
    }


def _without_differences(summary: dict[str, Any]) -> dict[str, Any]:
    """A comparison whose error took overlapping draws for independent ones: its means, and no judgement."""
    arms = [
        arm | {"evaluations": {name: {key: entry[key] for key in ("mean", "sd") if key in entry}
                               for name, entry in arm["evaluations"].items()}}
        for arm in summary["arms"]
    ]  # fmt: skip
    why = "an older version made it, whose intervals were several times too narrow; run the comparison again"
    return summary | {
        "arms": arms,
        "outcome": "inconclusive",
        "verdict": f"inconclusive: {why}",
        "recommendation": None,
        "advice": None,
    }


def _timed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: row[name].isoformat() for name in names if row[name] is not None}


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {}
