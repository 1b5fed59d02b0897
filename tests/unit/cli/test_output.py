"""What people see: the summary of a run, progress, plans."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tests.unit.cli.results import gate, result
from winnowry.cli.fresh import fresh_view, nothing_was_to_do
from winnowry.cli.output import Output
from winnowry.cli.plan import plan_view
from winnowry.cli.progress import progress_on
from winnowry.cli.summary import run_summary
from winnowry.cli.what_if import what_if_view
from winnowry.inspect.what_if import RuleCount, WhatIf
from winnowry.releases.model import Release
from winnowry.runs.order import Failure, RunOutcome, Waiting
from winnowry.stages.plan import Plan, PlanEntry


def text_of(parts: list, *, terminal: bool = False) -> str:  # type: ignore[type-arg]
    stream = io.StringIO()
    console = Console(file=stream, width=140, force_terminal=terminal, color_system="standard" if terminal else None)
    Output(console=console).show(*parts, soft_wrap=True)
    return stream.getvalue()


DONE = RunOutcome(
    "letters",
    "run-1",
    12.5,
    (
        result("raw", "2020"),
        result("raw", "2021", "skipped"),
        result("cleaned", "2020", gates=(gate(), gate("warn", message="n_rows is 5", severity="warning"))),
        result("published", tokens=92_053, quarantined_by_reason={}, rows_quarantined=0),
    ),
    tag="prod",
)
FAILED = RunOutcome(
    "letters",
    "run-1",
    2.0,
    tuple(result("cleaned", year, "rejected", gates=(gate("fail"),)) for year in ("2020", "2021")),
    (Failure("cleaned", "2020", "GateFailed", "no"), Failure("raw", "2022", "ObjectChangedError", "it changed")),
    ("duplicates",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "wanted", "unwanted"),
    [
        (
            {"release": "v3", "page": "s3://b/l/r/v3/page.html", "card": "s3://b/l/r/v3/card.croissant.json",
             "readme": "s3://b/l/r/v3/README.md"},
            ["Page of letters v3", "s3://b/l/r/v3/page.html", "card.croissant.json and README.md"], "could not be made",
        ),
        (
            {"release": "v3", "page_problem": "OSError: disk full"},
            ["v3 is published, but its page could not be made: OSError: disk full", "release show letters v3 --out"],
            "Page of",
        ),
        ({"release": "v3"}, ["letters.published"], "page"),
    ],
)  # fmt: skip
def test_the_summary_names_the_page_of_the_release_or_why_there_is_none(
    metadata: dict[str, str], wanted: list[str], unwanted: str
) -> None:
    text = text_of(run_summary(RunOutcome("letters", "r", 1.0, (result("published", metadata=metadata),)), "/lake"))
    assert [part for part in wanted if part not in text] == []
    assert unwanted not in text


def test_the_summary_adds_partitions_up_and_shows_gates_tables_and_what_to_do_next() -> None:
    text = text_of(run_summary(DONE, "/lake"))
    assert "✓ letters succeeded  12.5 s" in text
    assert "1 promoted, 1 skipped" in text
    assert "2,400" in text  # rows in of the two partitions of raw
    assert "92,053" in text
    assert "text.length: min_words" in text
    assert "1 passed, 1 warned" in text
    assert "n_rows is 5" in text
    assert "letters.published" in text
    assert "version='prod'" in text
    assert "winnowry ui --root /lake" in text


def test_the_summary_says_where_left_out_rows_are_listed_in_the_words_of_that_table() -> None:
    results = (
        result("landing", quarantined_by_reason={"source.jsonl: bad_json": 3}, rows_quarantined=3),
        result("cleaned", "2020", quarantined_by_reason={"text.length: min_words": 31}, rows_quarantined=31),
        result("duplicates", quarantined_by_reason={"dedup.exact: duplicate": 10}, rows_quarantined=10),
    )
    lines = text_of(run_summary(RunOutcome("letters", "r", 1.0, results), "/lake")).splitlines()
    table = [line.split() for line in lines if ": bad_json" in line or ": min_words" in line or ": duplicate" in line]
    assert table == [
        ["raw", "source.jsonl:", "bad_json", "3", "quarantine"],  # as its rows in `quarantine` say
        ["cleaned", "text.length:", "min_words", "31", "quarantine"],
        ["duplicates", "dedup.exact:", "duplicate", "10", "duplicates"],
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [("promoted", "v5 is made; prod stays at v3"), ("skipped", "v5 is the newest release; prod stays at v3")],
)
def test_the_summary_says_that_a_tag_is_held_and_how_to_move_it(status: str, said: str) -> None:
    published = result("published", status=status, metadata={"release": "v5", "held": "prod stays at v3 (rolled back)"})
    added = result("published.tone", table="published", gates=(), quarantined_by_reason={}, rows_quarantined=0)
    text = text_of(run_summary(RunOutcome("letters", "r", 1.0, (published, added), tag="prod"), "/lake"))
    assert said in text
    assert "winnowry release rollback --root /lake letters v5" in text
    assert "2 (v5)" in text
    assert "published.tone: in no release yet; the next run makes one that has it" in text


def test_the_reading_example_is_python_that_can_be_pasted() -> None:
    lines = text_of(run_summary(DONE, "/lake")).splitlines()
    start = lines.index("import lance  # the package pylance")
    compile("\n".join(lines[start : start + 3]), "<example>", "exec")


def test_a_failed_run_says_which_expectation_which_records_and_what_was_left_out() -> None:
    text = text_of(run_summary(FAILED, "./lake"))
    assert "✗ letters failed; what failed was not promoted" in text
    assert "cleaned 2020 and 1 other partition  cleaned.quality: expect_column_values_to_be_between of n_words" in text
    assert "3 of 6 values are below 50" in text
    assert "f" * 32 in text
    assert "raw 2022  ObjectChangedError: it changed" in text
    assert "GateFailed" not in text  # told by its gates already
    assert "Not run, because a stage before failed: duplicates" in text
    assert "--root" not in text


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" in text_of(run_summary(DONE, "/lake"), terminal=True)
    assert "\x1b[" not in text_of(run_summary(DONE, "/lake"))


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    Output(console=Console(file=stream, width=140, force_terminal=True)).show(*run_summary(DONE, "/lake"))
    assert "\x1b[3" not in stream.getvalue()  # 30-37: colours


def test_progress_in_a_pipe_is_a_plain_line_for_every_stage_that_ran() -> None:
    stream = io.StringIO()
    with progress_on(Console(file=stream, force_terminal=False, width=40)) as progress:
        progress.finish(result("landing", seconds=0.04, rows_quarantined=0))
        progress.expect(5)
        progress.start("raw", "2020", 10)
        progress.advance(5)
        progress.finish(result("raw", "2020", rows_out=1, rows_quarantined=0, seconds=3.14))
        progress.beside().finish(result("cleaned", "2020"))
        progress.finish(result("cleaned", "2021", "skipped"))
        progress.finish(result("cleaned", "[red]", "rejected"))
        progress.finish(result("cleaned", "2020"))  # once more, because another partition has outdated it
    assert stream.getvalue().splitlines() == [
        "landing: 1,000 records, 0.0 s",
        "raw 2020: 1 record, 3.1 s (2 of 5)",
        "cleaned 2020: 1,000 records, 200 quarantined, 1.2 s (3 of 5)",
        "cleaned [red]: gate failed, table unchanged, 1.2 s (5 of 5)",
        "cleaned 2020: 1,000 records, 200 quarantined, 1.2 s (6 of 6)",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_progress_shows_nothing_anywhere(terminal: bool) -> None:
    stream = io.StringIO()
    with progress_on(Console(file=stream, force_terminal=terminal), quiet=True) as progress:
        progress.expect(1)
        progress.start("raw", "2020", 10)
        progress.finish(result("raw", "2020"))
    assert stream.getvalue() == ""


def test_a_terminal_counts_the_stage_runs_of_all_processes_together() -> None:
    stream = io.StringIO()
    with progress_on(Console(file=stream, force_terminal=True, width=140, color_system=None)) as progress:
        progress.finish(result("landing"))
        progress.expect(4)
        progress.beside().finish(result("raw", "2020"))
        progress.finish(result("raw", "2021", "skipped"))
    text = stream.getvalue()
    assert "all stages" in text
    assert "3/4" in text
    assert "stage runs" in text


def fresh(*stages: str, **changes: Any) -> RunOutcome:
    skipped = tuple(result(stage, status="skipped", gates=(), **changes) for stage in stages)
    return RunOutcome("letters", "run-2", 0.2, skipped, tag="prod")


@pytest.mark.parametrize(
    ("outcome", "release", "line"),
    [
        (
            fresh("sampled", "published"),
            Release("letters", "v3", 9, ("prod", "stable"), 1_234, None),
            "Nothing to do: every stage is fresh; prod is v3 (1,234 records).",
        ),
        (
            fresh("sampled", "published"),
            Release("letters", "v3", 9, (), 1, None),
            "Nothing to do: every stage is fresh; the release is v3 (1 record).",
        ),
        (fresh("landing", "raw"), None, "Nothing to do: every stage of letters up to raw is fresh."),
    ],
)
def test_a_run_with_nothing_to_do_answers_in_a_line(outcome: RunOutcome, release: Release | None, line: str) -> None:
    assert nothing_was_to_do(outcome)
    assert text_of(fresh_view(outcome, release)).splitlines()[0] == line


@pytest.mark.parametrize(
    "outcome",
    [
        DONE,
        FAILED,
        RunOutcome("letters", "r", 0.1, ()),
        replace(fresh("published"), left_out={"2020": "ana: known to be broken"}),
        replace(fresh("raw"), waiting=(Waiting("cleaned", "2020", ["raw[2020]"]),)),
    ],
)
def test_a_run_that_did_or_refused_something_had_something_to_do(outcome: RunOutcome) -> None:
    assert not nothing_was_to_do(outcome)


def test_a_fresh_stage_with_a_gate_that_warns_is_shown_in_full() -> None:
    warned = result("raw", status="skipped", gates=(gate("warn"),))
    assert not nothing_was_to_do(RunOutcome("letters", "r", 0.1, (warned,)))


def test_progress_on_a_terminal_leaves_a_line_for_every_finished_stage() -> None:
    stream = io.StringIO()
    with progress_on(Console(file=stream, force_terminal=True, width=120, color_system=None)) as progress:
        progress.start("raw", "2020", 1_200)
        progress.advance(600)
        progress.finish(result("raw", "2020"))
        progress.finish(result("cleaned", "2020", "rejected"))
        progress.finish(result("published", None, "skipped", reason="unchanged"))
    text = stream.getvalue()
    assert "✓ raw        2020" in text
    assert "200 quarantined" in text
    assert "gate failed, table unchanged" in text
    assert "unchanged" in text


UNREAD = {
    "reason": "source.jsonl: truncated_gzip",
    "words": "cut.jsonl.gz (1.5 kB, 2.1% of all bytes): not all of it could be read; 260 records taken: "
    "source.jsonl: truncated_gzip",
}


def test_a_lost_object_and_records_that_cannot_be_read_stand_before_rows_that_rules_drop() -> None:
    dropped = {f"text.length: rule_{n}": 1_000 + n for n in range(20)}
    landing = result(
        "landing",
        quarantined_by_reason={"source.jsonl: truncated_gzip": 1, "source.jsonl: bad_json": 3},
        metadata={"unread_objects": 4, "unread": [UNREAD]},
    )
    cleaned = result("cleaned", "2020", quarantined_by_reason={**dropped, "text.length: error": 2})
    text = text_of(run_summary(RunOutcome("letters", "r", 1.0, (cleaned, landing)), "/lake"))
    order = [
        "Objects not read as a whole", UNREAD["words"], "3 more objects", "error", "truncated_gzip    ", "bad_json",
        "rule_19", "9", "more reasons",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "11 more reasons" in text


def test_objects_that_a_gate_refused_are_named_by_the_gate_alone() -> None:
    metadata = {"unread_objects": 1, "unread": [UNREAD]}
    refused = result("landing", None, "rejected", metadata=metadata, gates=(gate("fail", message=UNREAD["words"]),))
    text = text_of(run_summary(RunOutcome("letters", "r", 1.0, (refused,)), "/lake"))
    assert text.count(UNREAD["words"]) == 1


def test_no_failed_expectation_hides_behind_a_number() -> None:
    gates = tuple(gate("fail", column=f"column_{n:02}", samples=[]) for n in range(15))
    warned = tuple(gate("warn", column=f"warned_{n:02}", samples=[]) for n in range(3))
    outcome = RunOutcome("letters", "r", 1.0, (result("cleaned", "2020", "rejected", gates=(*warned, *gates)),))
    text = text_of(run_summary(outcome, "/lake"))
    assert all(f"column_{n:02}" in text for n in range(15))
    assert "… 3 more" in text


def test_a_plan_groups_partitions_that_run_for_the_same_reason() -> None:
    entries = [PlanEntry("landing", None, "skip", ["unchanged"], 10)]
    entries += [PlanEntry("scored", str(y), "run", [f"upstream cleaned/{y} would run"], 5) for y in range(2001, 2011)]
    text = text_of(plan_view(Plan("letters", entries), "/lake"))
    assert "2001 … 2010 (10)" in text
    assert text.count("upstream cleaned would run") == 1
    assert "10 stage runs to do, 1 fresh." in text
    assert "Nothing to do" in text_of(plan_view(Plan("letters", entries[:1]), "/lake"))


def test_a_what_if_shows_moved_rules_undecided_records_and_examples() -> None:
    answer = WhatIf(
        corpus="letters", kept_now=90, kept_then=70, dropped_now=10, dropped_then=25, undecided=5, tokens_now=1_000,
        tokens_then=900,
        rules=[RuleCount("text.length.min_words", "20", "80", 8, 28), RuleCount("x.y", "1", "1", 2, 2)],
        examples=[{"record_id": "a" * 32, "now": "kept", "then": "dropped (text.length.min_words)"}],
        reopens_dedup=True, operators_recomputed=["text.language"],
    )  # fmt: skip
    text = text_of(what_if_view(answer, ("text.length.min_words=80",)))
    assert "20 → 80" in text
    assert "x.y" not in text  # did not move
    assert "-20" in text
    assert "5 undecided" in text
    assert "text.language" in text
    assert "a" * 32 in text
