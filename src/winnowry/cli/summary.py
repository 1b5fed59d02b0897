"""The summary of a run: what went in and out, why records were dropped, what gates found, where to look next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from winnowry.cli.output import grid
from winnowry.cli.progress import MARKS, STATUSES
from winnowry.core.numbers import counted, number

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.gates.result import GateResult, Verdict
    from winnowry.promotion.result import StageResult
    from winnowry.runs.order import RunOutcome

_REASONS_SHOWN = 12
_GATES_SHOWN = 10
_SAMPLES_SHOWN = 3
_PLACES_SHOWN = 5
_NOT_RUN = "MissingPartitionsError"  # a stage that never ran, because others are not there
_WITHDRAWN = {
    "rows_retracted": "gone: no landing object holds the partition any more; releases keep their rows",
    "rows_moved": "moved to another partition",
    "rows_withdrawn": "withdrawn, moved to another partition, or superseded",
}
_VERDICTS = {
    "fail": ("✗", "red"),
    "broken": ("✗", "red"),
    "warn": ("!", "yellow"),
    "accepted": ("!", "yellow"),
    "pass": ("✓", "green"),
}


def run_summary(outcome: RunOutcome, root: str) -> list[RenderableType]:
    """Everything that is printed at the end of a run.

    Args:
        outcome: what happened.
        root: URI of the lake, for the commands that are suggested.
    """
    parts: list[RenderableType] = ["", _headline(outcome), "", _stages(outcome.results)]
    parts += _withdrawn(outcome.results)
    parts += _gates(outcome.results)
    parts += _failures(outcome)
    parts += _gaps(outcome)
    parts += _unread(outcome.results)
    parts += _quarantined(outcome.results)
    parts += _tables(outcome.results)
    parts += _next_steps(outcome, root)
    return parts


def _headline(outcome: RunOutcome) -> RenderableType:
    from rich.text import Text

    if outcome.succeeded:
        mark, style, text = "✓", "bold green", "succeeded"
    else:
        mark, style, text = "✗", "bold red", "failed; what failed was not promoted"
        if all(failure.type == _NOT_RUN for failure in outcome.failures):
            mark, style, text = "‖", "bold yellow", "not finished: a stage waits for others"
    seconds = (f"  {outcome.seconds:.1f} s", "bright_black")
    return Text.assemble((f"{mark} ", style), (outcome.corpus, "bold"), (f" {text}", style), seconds)


def _by_stage(results: Iterable[StageResult]) -> dict[str, list[StageResult]]:
    stages: dict[str, list[StageResult]] = {}
    for result in results:
        stages.setdefault(result.stage, []).append(result)
    return stages


def _stages(results: Sequence[StageResult]) -> RenderableType:
    from rich.text import Text

    size = next((result.unit for result in results if result.unit is not None), "tokens").capitalize()
    table = grid(
        ["", "Stage", "Partitions", "Rows in", "Rows out", "Left out", size, "Seconds", "Gates"],
        right=["Rows in", "Rows out", "Left out", size, "Seconds"],
    )
    for stage, group in _by_stage(results).items():
        done = Counter(result.status for result in group)
        worst = "rejected" if done["rejected"] else "promoted" if done["promoted"] else "skipped"
        mark, style = MARKS[worst]
        if group[0].partition is None:
            progress = "" if done["promoted"] else worst
        else:
            progress = ", ".join(f"{done[status]} {status}" for status in STATUSES if done[status])
        quarantined = sum(result.rows_quarantined for result in group)
        tokens = [n for result in group if (n := result.size if result.unit else result.tokens) is not None]
        table.add_row(
            Text(mark, style),
            stage,
            Text(progress, "bright_black" if worst == "skipped" else ""),
            number(sum(result.rows_in for result in group)),
            number(sum(result.rows_out for result in group)),
            Text(number(quarantined), "yellow") if quarantined else "0",
            number(sum(tokens)) if tokens else "",
            f"{sum(result.seconds for result in group):.1f}",
            _gate_counts([gate for result in group for gate in result.gates]),
        )
    return table


def _gate_counts(gates: Sequence[GateResult]) -> RenderableType:
    from rich.text import Text

    verdicts = Counter(gate.verdict for gate in gates)
    words: dict[Verdict, str] = {
        "pass": "passed",
        "warn": "warned",
        "accepted": "accepted",
        "fail": "failed",
        "broken": "broken",
    }
    line = Text()
    for verdict, word in words.items():
        if verdicts[verdict]:
            line.append(", " if line else "").append(f"{verdicts[verdict]} {word}", _VERDICTS[verdict][1])
    return line


def _unread(results: Sequence[StageResult]) -> list[RenderableType]:
    """Objects that were not read as a whole, and were accepted: of refused ones the gate says so."""
    from rich.text import Text

    lines: list[RenderableType] = []
    for result in results:
        unread = result.metadata.get("unread", []) if result.status == "promoted" else []
        lines += [Text.assemble(("  ! ", "yellow"), (item["words"], "yellow")) for item in unread]
        more = result.metadata.get("unread_objects", 0) - len(unread)
        if unread and more > 0:
            lines.append(Text(f"  … {counted(more, 'more object')}; the column unread of landing names them", "yellow"))
    return ["", Text("Objects not read as a whole", "bold"), *lines] if lines else []


def _severity(results: Sequence[StageResult], reason: tuple[str, str]) -> int:
    """How bad it is that records are dropped for a reason: 0 what loses objects and crashes, 1 what cannot be read."""
    from winnowry.stages.graph import reading_stages

    stage, words = reason
    unread = {item["reason"] for result in results for item in result.metadata.get("unread", [])}
    if words in unread or words.endswith(": error"):
        return 0
    return 1 if stage in reading_stages() else 2


def _quarantined(results: Sequence[StageResult]) -> list[RenderableType]:
    reasons: Counter[tuple[str, str, str]] = Counter()
    for result in results:
        for reason, rows in result.quarantined_by_reason.items():
            stage, listed_in = _lies_in(result)
            reasons[stage, reason, listed_in] += rows
    if not reasons:
        return []
    table = grid(["Left out at", "Because of", "Rows", "Listed in"], right=["Rows"])
    worst_first = sorted(reasons.items(), key=lambda item: (_severity(results, item[0][:2]), -item[1]))
    serious = sum(_severity(results, reason[:2]) < 2 for reason in reasons)
    shown = worst_first[: max(_REASONS_SHOWN, serious)]
    for (stage, reason, listed_in), rows in shown:
        table.add_row(stage, reason, number(rows), listed_in)
    if len(reasons) > len(shown):
        rest = sum(reasons.values()) - sum(rows for _, rows in shown)
        table.add_row("", f"{counted(len(reasons) - len(shown), 'more reason')}", number(rest), "")
    return ["", table]


def _lies_in(result: StageResult) -> tuple[str, str]:
    """Stage and table under which rows that a stage left out are found, in the words of the table.

    What cannot be read is noticed while the landing is counted, and is a record that ``raw`` lacks.
    """
    from winnowry.stages.graph import ARRIVED, stage_named

    if stage_named(result.stage).keeps == "others":  # its own table lists what it leaves out
        return result.stage, str(result.table or result.stage)
    return (ARRIVED if stage_named(result.stage).starts else result.stage), "quarantine"


def _withdrawn(results: Sequence[StageResult]) -> list[RenderableType]:
    """Records that the first table held before, by partition: nothing leaves quietly."""
    table = grid(["No longer there", "Rows", "Because"], right=["Rows"])
    lines = [
        (result.partition or "", rows, because)
        for result in results
        for name, because in _WITHDRAWN.items()
        if (rows := result.metadata.get(name, 0))
    ]
    for partition, rows, because in lines[:_REASONS_SHOWN]:
        table.add_row(partition, number(rows), because)
    if len(lines) > _REASONS_SHOWN:
        rest = lines[_REASONS_SHOWN:]
        table.add_row(f"{len(rest)} more", number(sum(rows for _, rows, _ in rest)), "")
    return ["", table] if lines else []


def _gates(results: Sequence[StageResult]) -> list[RenderableType]:
    from rich.text import Text

    alike: dict[tuple[str, str, str, str | None, Verdict], list[tuple[StageResult, GateResult]]] = {}
    for result in results:
        for gate in result.gates:
            if gate.verdict != "pass":
                key = (result.stage, gate.suite, gate.expectation, gate.column, gate.verdict)
                alike.setdefault(key, []).append((result, gate))
    if not alike:
        return []
    lines: list[RenderableType] = ["", Text("Gates", "bold")]
    refused = {key[:4] for key in alike if key[4] == "fail"}  # an expectation that failed needs no warning beside it
    alike = {key: members for key, members in alike.items() if key[4] != "warn" or key[:4] not in refused}
    ordered = sorted(alike.items(), key=lambda item: item[0][4] not in ("fail", "broken"))
    n_shown = max(_GATES_SHOWN, sum(key[4] in ("fail", "broken") for key in alike))
    for (stage, suite, expectation, column, verdict), members in ordered[:n_shown]:
        lines += _verdict(stage, suite, expectation, column, verdict, members)
    if len(ordered) > n_shown:
        more = f"  … {len(ordered) - n_shown} more: winnowry sql 'select * from gates'"
        lines.append(Text(more, "bright_black"))
    docs = [result.docs_index for members in dict(ordered).values() for result, _ in members if result.docs_index]
    if docs:
        lines.append(Text(f"  Data Docs: {docs[0]}", "bright_black"))
    return lines


def _verdict(
    stage: str,
    suite: str,
    expectation: str,
    column: str | None,
    verdict: Verdict,
    members: Sequence[tuple[StageResult, GateResult]],
) -> list[RenderableType]:
    """One expectation that did not hold; the same one of many partitions is shown once, with the first as example."""
    from rich.text import Text

    mark, style = _VERDICTS[verdict]
    first, gate = members[0]
    where = stage if first.partition is None else f"{stage} {first.partition}"
    n_others = len({result.partition for result, _ in members}) - 1
    others = f" and {counted(n_others, 'other partition')}" if n_others else ""
    what = f"  {suite}: {expectation}{f' of {column}' if column else ''}"
    message = gate.message or f"observed {gate.observed}"
    lines: list[RenderableType] = [Text.assemble((f"  {mark} ", style), (where, "bold"), others, what)]
    lines += [Text(f"      {line}", style) for line in message.splitlines()]
    lines += [Text(f"      {_sample(sample)}", "bright_black") for sample in gate.samples[:_SAMPLES_SHOWN]]
    return lines


def _sample(sample: dict[str, Any]) -> str:
    rest = ", ".join(f"{key}={value!r}" for key, value in sample.items() if key != "record_id")
    record = sample.get("record_id")
    return f"{record}  {rest}" if record else rest


def _failures(outcome: RunOutcome) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = []
    listed = {(result.stage, result.partition) for result in outcome.results if result.status == "rejected"}
    for failure in outcome.failures:
        if (failure.stage, failure.partition) in listed:
            continue  # its gates are listed
        where = failure.stage if failure.partition is None else f"{failure.stage} {failure.partition}"
        if failure.type == _NOT_RUN:
            lines.append(Text.assemble(("  ‖ ", "yellow"), (where, "bold"), "  not run: ", (failure.message, "yellow")))
            continue
        lines.append(Text.assemble(("  ✗ ", "red"), (where, "bold"), f"  {failure.type}: ", (failure.message, "red")))
    if lines:
        lines = ["", Text("Failures", "bold"), *lines]
    if outcome.not_run and not outcome.waiting:
        lines += ["", Text(f"Not run, because a stage before failed: {', '.join(outcome.not_run)}", "yellow")]
    if outcome.waiting:
        lines += ["", Text("Not run", "bold"), *_waiting(outcome)]
    return lines


def _waiting(outcome: RunOutcome) -> list[RenderableType]:
    """What never ran, one line for stages that wait for the same."""
    from rich.text import Text

    groups: dict[tuple[str | None, tuple[str, ...]], list[str]] = {}
    for waiting in outcome.waiting:
        groups.setdefault((waiting.partition, tuple(waiting.waits_for)), []).append(waiting.stage)
    lines: list[RenderableType] = []
    for (partition, places), stages in groups.items():
        shown = ", ".join(places[:_PLACES_SHOWN])
        shown += f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
        where = ", ".join(stages) + (f" of {partition}" if partition is not None else "")
        lines.append(Text.assemble(("  ‖ ", "yellow"), (where, "bold"), f"  waits for {shown}"))
    return lines


def _gaps(outcome: RunOutcome) -> list[RenderableType]:
    """Partitions that are not in what was made, or as they were; nothing of this goes unsaid."""
    from rich.text import Text

    lines: list[RenderableType] = []
    for gap in outcome.gaps:
        lines.append(Text.assemble(("  ! ", "yellow"), (gap.partition, "bold"), f"  {gap.sentence()}"))
    for partition, signed in outcome.left_out.items():
        lines.append(Text.assemble(("  ! ", "yellow"), (partition, "bold"), f"  left out of releases, {signed}"))
    return ["", Text("Partitions that are not up to date in what was made", "bold"), *lines] if lines else []


def _tables(results: Sequence[StageResult]) -> list[RenderableType]:
    latest: dict[str, StageResult] = {}
    for result in results:
        if result.table and result.uri and result.version is not None:
            known = latest.get(result.table)
            if known is not None and "release" in known.metadata:
                continue  # what was added to the table since is in no release yet
            if known is None or (known.version or 0) <= result.version:
                latest[result.table] = result
    if not latest:
        return []
    table = grid(["Table", "Version", "URI"], right=["Version"])
    for name, result in latest.items():
        release = result.metadata.get("release")
        version = str(result.version) if release is None else f"{result.version} ({release})"
        table.add_row(f"{result.corpus}.{name}", version, result.uri)
    return ["", table]


def _next_steps(outcome: RunOutcome, root: str) -> list[RenderableType]:
    from rich.text import Text

    from winnowry.lakehouse.lance_uri import lance_uri, reading_lines

    readable = {result.stage: result for result in outcome.results if result.uri and result.version is not None}
    lines: list[RenderableType] = []
    target = readable.get("published") or next(reversed(readable.values()), None)
    if target is not None:
        published = target.stage == "published"
        version = repr(outcome.tag) if published and outcome.tag else str(target.version)
        lines += [
            "",
            Text(f"Read {target.corpus}.{target.table}", "bold"),
            python_code(reading_lines(lance_uri(str(target.uri)), version, _options(root))),
        ]
        lines += [*_held(target, root), *_page(target)]
    lines += _unreleased(outcome.results)
    at = _at(root)
    refused = [result for result in outcome.results if result.status == "rejected"]
    lines += ["", Text("Next", "bold"), *_about_refused(outcome.corpus, refused, at)]
    example = (
        f"select state, stage, operator, reason, count(*) n from {outcome.corpus}.quarantine group by all order by all"
    )
    lines += [
        _step(f"winnowry ui{at}", "runs, checks and lineage in the browser"),
        _step(f'winnowry sql{at} "{example}"', "why records were dropped"),
        _step(f"winnowry explain{at} {_example(refused) or 'RECORD_ID'}", "what happened to one record"),
    ]
    return lines


def _options(root: str) -> dict[str, str]:
    from winnowry.storage.settings import StorageSettings, reading_options

    return reading_options(StorageSettings.from_env().lance_options(root)) if root.startswith("s3://") else {}


def _at(root: str) -> str:
    """The option that names the lake, for commands that are suggested."""
    return "" if root == "./lake" else f" --root {root}"


def _about_refused(corpus: str, refused: Sequence[StageResult], at: str) -> list[RenderableType]:
    """How to see what a refused candidate held: its rejects, or the rows that fail its gate."""
    rejects = any(result.rows_quarantined for result in refused)
    lines: list[RenderableType] = []
    if rejects:
        query = (
            f"select record_id, stage, partition, operator, reason, value, threshold from {corpus}.quarantine "
            "where state = 'refused'"
        )
        lines.append(_step(f'winnowry sql{at} "{query}"', "what the refused candidates rejected"))
    elif refused:
        ids = ", ".join(f"'{result.promotion_id}'" for result in refused if result.promotion_id)
        query = f"select suite, expectation, message, samples from gates where promotion_id in ({ids})"
        lines.append(_step(f'winnowry sql{at} "{query}"', "what the gate saw"))
    return lines


def _example(refused: Sequence[StageResult]) -> str | None:
    """A record that shows why a candidate was refused."""
    samples = (sample for result in refused for gate in result.gates if gate.blocks for sample in gate.samples)
    return next((str(sample["record_id"]) for sample in samples if sample.get("record_id")), None)


def _page(published: StageResult) -> list[RenderableType]:
    """Where the page of the release lies, or why it was not made."""
    from rich.text import Text

    release, problem = published.metadata.get("release"), published.metadata.get("page_problem")
    if problem:
        retry = f"winnowry release show {published.corpus} {release} --out page.html"
        return ["", Text(f"! {release} is published, but its page could not be made: {problem}", "yellow"),
                Text(f"  again: {retry}", "bright_black")]  # fmt: skip
    page = published.metadata.get("page")
    if published.stage != "published" or not page:
        return []
    cards = [str(published.metadata[name]).rsplit("/", 1)[-1] for name in ("card", "readme")]
    return [
        "",
        Text(f"Page of {published.corpus} {release}", "bold"),
        Text(str(page)),
        Text(f"beside it the cards {' and '.join(cards)}", "bright_black"),
    ]


def _held(published: StageResult, root: str) -> list[RenderableType]:
    """Which tags stay where they are, though there is a newer release; how to move one that a rollback holds."""
    from rich.text import Text

    held, release = published.metadata.get("held"), published.metadata.get("release")
    behind = published.metadata.get("left_behind")
    left: list[RenderableType] = ["", Text(f"! {behind}", "yellow")] if behind else []
    if not held:
        return left
    made = "is made" if published.status == "promoted" else "is the newest release"
    move = f"winnowry release rollback{_at(root)} {published.corpus} {release}"
    return [
        *left,
        "",
        Text(f"! {release} {made}; {held}", "yellow"),
        _step(move, f"point the tag at {release} and let it follow"),
    ]


def _unreleased(results: Sequence[StageResult]) -> list[RenderableType]:
    """Columns that were added after the release of this run."""
    from rich.text import Text

    added = [r.stage for r in results if r.table == "published" != r.stage and r.status == "promoted"]
    if not added:
        return []
    them = "it" if len(added) == 1 else "them"
    return ["", Text(f"! {', '.join(added)}: in no release yet; the next run makes one that has {them}", "yellow")]


def _step(command: str, purpose: str) -> RenderableType:
    from rich.text import Text

    return Text.assemble((f"# {purpose}\n", "bright_black"), (command, "cyan"))


def python_code(source: str) -> RenderableType:
    """Python source with the terminal's own colours."""
    from rich.syntax import Syntax

    highlighted = Syntax(source, "python", theme="ansi_dark", background_color="default").highlight(source)
    highlighted.rstrip()  # a Syntax would pad every line to the width of the screen
    return highlighted
