"""The VALID² card: scores, grades and indicators against counts by hand and closed forms."""

from __future__ import annotations

import hashlib
import math
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from expectations.valid2 import ExpectLetterToHold, valid2_suites
from winnowry.evidence.valid2.card import grade, make_card
from winnowry.evidence.valid2.diversity import mix
from winnowry.evidence.valid2.indicators import Measured, Setting, drawn, id_bound, judged, score, wilson
from winnowry.evidence.valid2.quarantined import COUNTED, KINDS, rule_kind
from winnowry.evidence.valid2.texts import ends_well
from winnowry.lakehouse.view import TableView
from winnowry.reading.session import Tables, session
from winnowry.recipe.gates import Gates
from winnowry.recipe.valid2 import INDICATORS, LETTERS, Valid2Gate

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)
SETTING = Setting(AS_OF, "recipe", frozenset({"dedup.exact"}), ())


def view(root: Path, name: str, columns: dict[str, Any]) -> TableView:
    uri = str(root / f"{name}.lance")
    made = lance.write_dataset(pa.table(columns), uri)
    return TableView(uri, made.version, {}, name)


def identity(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def lake(root: Path, texts: list[str], **columns: Any) -> Tables:
    """A release of some texts that were read as they are."""
    n = len(texts)
    ids = [identity(i) for i in range(n)]
    published = {
        "record_id": ids,
        "source": [f"s{i % 3}" for i in range(n)],
        "license": ["CC0-1.0"] * n,
        "event_time": pa.array([AS_OF - timedelta(days=10, hours=1)] * n, pa.timestamp("us", "UTC")),
        "text": pa.array(texts, pa.large_string()),
        "n_tokens": pa.array([10] * n, pa.int64()),
        **columns,
    }
    raw = {
        "record_id": ids,
        "payload": pa.array(texts, pa.large_string()),
        "content_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
    }
    return Tables(views={"published": view(root, "published", published), "raw": view(root, "raw", raw)}, records={})


def found(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for letter in card["letters"] for item in letter["indicators"]}


@pytest.mark.parametrize(
    ("value", "threshold", "at_least", "share", "wanted"),
    [
        (0.95, 0.95, True, True, 1.0),
        (0.5, 0.95, True, True, 0.5 / 0.95),
        (0.0, 0.95, True, True, 0.0),
        (0.05, 0.05, False, True, 1.0),
        (1.0, 0.4, False, True, 0.0),
        (0.55, 0.1, False, True, 0.5),
        (20.0, 10.0, False, False, 0.5),
        (0.5, 0.0, False, True, 0.5),
    ],
)
def test_a_score_is_one_exactly_where_the_threshold_is_met(
    value: float, threshold: float, at_least: bool, share: bool, wanted: float
) -> None:
    assert score(value, threshold, at_least=at_least, share=share) == pytest.approx(wanted)


def test_a_miss_by_rounding_is_still_a_miss() -> None:
    assert score(math.nextafter(0.95, 0), 0.95, at_least=True, share=True) < 1


def test_wilson_is_the_one_of_the_books() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 and 0 of 20, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_no_letter_is_hidden_by_the_others() -> None:
    scores = [(name, 1.0) for name in LETTERS[1:]] + [(LETTERS[0], 0.0)]
    assert grade(scores) == {"worst": "vitality", "score": 0.0, "geometric_mean": 0.0, "unmeasured": []}
    assert grade([("vitality", None)])["geometric_mean"] is None
    mean = grade([("vitality", 0.5), ("density", 0.8)])["geometric_mean"]
    assert mean == pytest.approx(math.sqrt(0.4))


def test_presets_and_thresholds() -> None:
    assert Valid2Gate(domain="news").freshness() == (90, 30)
    assert Valid2Gate(domain="timeless").threshold("fresh_share") is None
    assert Valid2Gate(consumer="people").threshold("bytes_per_token") is None
    assert Valid2Gate(consumer="people").threshold("reading_ease") == 30
    assert Valid2Gate(thresholds={"truncated_share": None}).threshold("truncated_share") is None
    with pytest.raises(ValidationError, match="0 to 1"):
        Valid2Gate(thresholds={"truncated_share": 3})
    with pytest.raises(ValidationError, match="truncated"):
        Valid2Gate(thresholds={"truncated": 0.1})  # type: ignore[dict-item]


def test_a_recipe_without_the_gate_dumps_as_before() -> None:
    assert Gates().model_dump(mode="json")["published"] == {"min_rows": 1}


def test_indicators_that_nobody_measured_are_not_judged() -> None:
    items = {item["name"]: item for item in judged({"time_known": Measured(float("nan"))}, Valid2Gate())}
    assert set(items) == set(INDICATORS)
    assert all(item["score"] is None and item["value"] is None and item["why"] for item in items.values())
    asked = judged({}, Valid2Gate(thresholds={"tokens": 5}))
    assert {item["name"]: item["score"] for item in asked}["tokens"] == 0


def test_text_indicators_by_hand(tmp_path: Path) -> None:
    shared = "Subscribe to the letter here"  # 28 characters, in three texts
    texts = [
        f"The cat sat. It has 3 cats and 14 dogs.\n{shared}",
        f"A second text is here and 2.5 is a number.\n{shared}",
        f"{shared}\nThe third one ends well, with 9 lives.",
        f"{shared}\nThe third one ends well, with 9 lives.",  # a copy: its lines count once
        "The last one is cut in the mid",
        "  ",
    ]
    card = make_card(lake(tmp_path, texts, language=["en"] * 6), Valid2Gate(), SETTING)
    items = found(card)
    assert items["text_present"]["value"] == pytest.approx(5 / 6)
    assert items["text_present"]["examples"] == [{"record_id": identity(5), "value": "blank"}]
    assert items["truncated_share"]["value"] == pytest.approx(3 / 5)
    assert {row["record_id"] for row in items["truncated_share"]["examples"]} == {identity(i) for i in (0, 1, 4)}
    lines = [len(line) for text in texts[:5] for line in text.split("\n")]
    assert items["boilerplate_share"]["value"] == pytest.approx(4 * 28 / sum(lines))
    assert items["numbers_per_100_tokens"]["value"] == pytest.approx(100 * (2 + 1 + 1 + 1) / 60)
    octets = sum(len(text.encode()) for text in texts)
    assert items["bytes_per_token"]["value"] == pytest.approx(octets / 60)
    # cat sat cats dogs Subscribe letter | second text number Subscribe letter | Subscribe letter third ends well lives
    # (twice) | last cut mid; of 13, 14, 12, 12 and 8 words.
    assert items["content_word_share"]["value"] == pytest.approx((6 + 5 + 6 + 6 + 3) / (13 + 14 + 12 + 12 + 8))
    assert items["duplicate_share"]["value"] == pytest.approx(1 / 6)
    assert items["duplicate_share"]["examples"][0]["record_id"] in (identity(2), identity(3))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Done.", True), ("Done", False), ("", False), ("\u7ed3\u675f\u3002\u201d", True), ("Is it?)\n\n", True),
        ("and then the", False), ("**Done!**", True), ("...", True), (")", True),
        ("he said \u201cso\u201d", True), ("- a list", False), ("| a | b |", False),
        ("\u0939\u0948\u0964", True),
    ],
)  # fmt: skip
def test_what_ends_as_a_finished_text_does(text: str, wanted: bool) -> None:
    assert ends_well(text) is wanted


def test_freshness_by_hand(tmp_path: Path) -> None:
    day, instant = timedelta(days=1), timedelta(microseconds=1)
    moments = [
        AS_OF - 365 * day,  # stale: not within 365 days
        AS_OF - 365 * day + instant,  # fresh by a microsecond
        AS_OF,  # age 0
        AS_OF + instant,  # later than the snapshot
        None,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    tables = lake(
        tmp_path,
        [f"Text {i}." for i in range(7)],
        event_time=pa.array(moments, pa.timestamp("us", "UTC")),
        n_tokens=[1, 2, 4, 8, 16, 32, 64],
    )
    items = found(make_card(tables, Valid2Gate(half_life_days=365), SETTING))
    assert items["time_known"]["value"] == pytest.approx(6 / 7)
    assert items["fresh_share"]["value"] == pytest.approx((2 + 4) / 127)
    assert items["future_share"]["value"] == pytest.approx(2 / 6)
    assert [row["value"][:4] for row in items["future_share"]["examples"]] == ["9999", "2026"]
    # Ages in whole days: 365, 364, 0, none below 0, 0, two thousand years, 0.
    half = (1 * 0.5 + 2 * 2 ** (-364 / 365) + 4 + 8 + 64) / (1 + 2 + 4 + 8 + 32 + 64)
    assert items["half_life_score"]["value"] == pytest.approx(half)
    assert items["time_entropy"]["value"] is not None


def test_records_without_tokens_are_measured_by_their_number(tmp_path: Path) -> None:
    items = found(make_card(lake(tmp_path, ["T."] * 6, n_tokens=[0] * 6), Valid2Gate(), SETTING))
    assert items["fresh_share"]["value"] == 0
    assert items["source_entropy"]["value"] is None
    assert items["bytes_per_token"]["why"] == "the sampled texts have no tokens"


def test_columns_of_another_kind_are_not_taken_for_what_their_name_says(tmp_path: Path) -> None:
    odd = {"is_synthetic": ["no"] * 6, "url": [1] * 6, "knowledge_density": ["high"] * 6, "split": [["a"]] * 6}
    items = found(make_card(lake(tmp_path, ["T."] * 6, **odd), Valid2Gate(), SETTING))
    for name in ("synthetic_share", "url_valid", "knowledge_density"):
        assert items[name]["value"] is None


def test_columns_of_operators_are_averaged_where_they_are_usable(tmp_path: Path) -> None:
    values = [10.0, 20.0, None, float("nan"), float("inf"), 30.0]
    written = {"readability_flesch_kincaid": [1.0] * 6, "readability_flesch": values, "knowledge_density": values}
    items = found(make_card(lake(tmp_path, ["T."] * 6, **written), Valid2Gate(consumer="people"), SETTING))
    for name in ("reading_ease", "knowledge_density"):
        assert items[name]["value"] == pytest.approx(20)
        assert items[name]["records"] == 3
    assert items["reading_ease"]["score"] == pytest.approx(20 / 30)


def test_urls_are_looked_at(tmp_path: Path) -> None:
    urls = ["https://example.org/a?b=1", "http://example.org", "ftp://example.org", "example.org", None, "https://a b"]
    items = found(make_card(lake(tmp_path, [f"T{i}." for i in range(6)], url=urls), Valid2Gate(), SETTING))
    assert items["url_valid"]["value"] == pytest.approx(2 / 6)
    assert len(items["url_valid"]["examples"]) == 4


def test_one_source_is_no_mix(tmp_path: Path) -> None:
    items = found(make_card(lake(tmp_path, ["T."] * 6, source=["only"] * 6), Valid2Gate(), SETTING))
    assert (items["source_entropy"]["value"], items["top_source_share"]["value"]) == (0, 1)
    # No single record makes a mix: there are none to list.
    assert items["source_entropy"]["passed"] is items["top_source_share"]["passed"] is False
    assert items["source_entropy"]["examples"] == items["top_source_share"]["examples"] == []


@pytest.mark.parametrize(
    "name",
    ["fresh_share", "effective_share", "smallest_stratum", "rate_half_width", "source_entropy", "top_source_share",
     "stratum_entropy", "bytes_per_token", "tokens", "synthetic_gap", "vendi_score"],
)  # fmt: skip
def test_a_number_about_the_whole_release_lists_no_records(tmp_path: Path, name: str) -> None:
    limits = {item: 1.0 if wanted.at_least else 0.0 for item, wanted in INDICATORS.items()}
    limits |= {"tokens": 10**9, "smallest_stratum": 99, "bytes_per_token": 99, "vendi_score": 99, "fresh_share": 1.0}
    gate = Valid2Gate(thresholds=limits, strata=("topic",), synthetic_share=0.9, fresh_days=1)
    tables = lake(
        tmp_path, ["Text A."] * 4 + ["Text B."] * 4, topic=["a"] * 7 + ["b"], is_synthetic=[True] + [False] * 7
    )
    item = found(make_card(tables, gate, SETTING))[name]
    assert item["passed"] is False
    assert item["examples"] == []


def test_without_a_limit_in_the_recipe_nothing_passes_or_fails(tmp_path: Path) -> None:
    tables = lake(tmp_path, ["Cut in the mid"] * 6, source=["only"] * 6)
    judged_card = make_card(tables, Valid2Gate(), SETTING)
    assert {letter["passed"] for letter in judged_card["letters"]} >= {True, False}
    card = make_card(tables, Valid2Gate(), SETTING, required=False)
    assert {letter["passed"] for letter in card["letters"]} == {None}
    assert {item["passed"] for item in found(card).values()} == {None}
    assert all(item["examples"] == [] for item in found(card).values())
    values = {name: item["value"] for name, item in found(card).items()}
    assert values == {name: item["value"] for name, item in found(judged_card).items()}


def test_copies_and_short_lines_are_no_boilerplate(tmp_path: Path) -> None:
    texts = ["A whole text that is there three times, and says much."] * 3
    texts += [f"Menu\nA text of its own with the number {i}." for i in range(4)]
    items = found(make_card(lake(tmp_path, texts), Valid2Gate(), SETTING))
    assert items["boilerplate_share"]["value"] == 0
    assert items["duplicate_share"]["value"] == pytest.approx(2 / 7)
    assert items["effective_rows"]["value"] == pytest.approx(5)
    assert items["rate_half_width"]["value"] == pytest.approx(1.96 * math.sqrt(0.25 / 5), abs=1e-4)


def test_compression_lies_in_the_range_of_a_reference(tmp_path: Path) -> None:
    rng = random.Random(5)
    noise = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789+/", k=400)) for _ in range(4)]
    texts = [*noise, "a. " * 400, "Too short."]
    gate = Valid2Gate(zstd_range=(1.0, 3.0))
    items = found(make_card(lake(tmp_path, texts), gate, SETTING))
    assert items["zstd_typical"]["value"] == pytest.approx(4 / 5)
    assert [row["record_id"] for row in items["zstd_typical"]["examples"]] == [identity(4)]
    low = found(make_card(lake(tmp_path / "low", texts), Valid2Gate(zstd_range=(3.0, 99.0)), SETTING))
    assert low["zstd_typical"]["value"] == pytest.approx(1 / 5)


def test_what_could_not_be_decoded_counts_and_what_a_rule_left_out_does_not(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(18)])
    quarantine = {
        "record_id": [identity(100 + place) for place in range(8)],
        "stage": ["landing", "raw", "raw", "raw", "raw", "raw", "raw", "cleaned"],
        "operator": ["source.jsonl", *["source.map"] * 5, "source.warc", "text.length"],
        "reason": ["bad_json", "bad_utf8", "missing_field", "missing_event_time", "bad_event_time",
                   "duplicate_record_id", "http_status", "min_words"],
    }  # fmt: skip
    views = {**tables.views, "quarantine": view(tmp_path, "quarantine", quarantine)}
    items = found(make_card(Tables(views=views, records={}), Valid2Gate(), SETTING))
    # Read: 18 in raw and the 7 that reading set aside; two of them could not be decoded.
    assert items["decoded_share"]["value"] == pytest.approx(23 / 25)
    assert items["quarantined_share"]["value"] == pytest.approx(8 / 25)
    assert {row["value"] for row in items["decoded_share"]["examples"]} == {
        "source.jsonl: bad_json",
        "source.map: bad_utf8",
    }
    assert items["decoded_share"]["note"].endswith("1 incomplete, 2 undated, 1 repeated, 1 not wanted")


@pytest.mark.parametrize(
    ("stage", "operator", "rule", "kind"),
    [
        ("landing", "source.jsonl", "bad_json", "undecodable"),
        ("raw", "source.jsonl", "bad_utf8", "undecodable"),
        ("raw", "source.map", "bad_utf8", "undecodable"),
        ("raw", "source.gzip", "truncated_gzip", "undecodable"),
        ("raw", "source.csv", "wrong_field_count", "undecodable"),
        ("raw", "source.warc", "truncated_payload", "undecodable"),
        ("raw", "source.anything", "a_rule_of_tomorrow", "undecodable"),
        ("raw", "source.map", "duplicate_record_id", "repeated"),
        ("raw", "source.warc", "revisit", "repeated"),
        ("raw", "source.map", "missing_event_time", "undated"),
        ("landing", "source.map", "bad_event_time", "undated"),
        ("raw", "source.map", "missing_id", "incomplete"),
        ("raw", "source.map", "missing_field", "incomplete"),
        ("raw", "source.map", "wrong_type", "incomplete"),
        ("raw", "source.map", "missing_partition_field", "incomplete"),
        ("raw", "source.map", "missing_partition_part", "incomplete"),
        ("raw", "source.tc609", "no_text_content", "incomplete"),
        ("raw", "source.warc", "http_status", "not wanted"),
        ("raw", "source.warc", "content_type", "not wanted"),
        ("cleaned", "text.length", "min_words", "cleaned away"),
        ("cleaned", "text.language", "bad_utf8", "cleaned away"),
    ],
)
def test_every_rule_of_the_quarantine_is_of_one_kind(stage: str, operator: str, rule: str, kind: str) -> None:
    assert rule_kind(stage, operator, rule, ("landing", "raw")) == kind


def test_only_what_could_not_be_decoded_counts_against_integrity() -> None:
    assert COUNTED["decoded_share"] == {"undecodable"}
    assert COUNTED["quarantined_share"] == set(KINDS)
    assert set(COUNTED) <= set(INDICATORS)


def test_near_copies_that_were_published_all_the_same(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(20)])
    duplicates = {"record_id": [identity(3), identity(99)], "kept_record_id": [identity(2), identity(2)]}
    views = {**tables.views, "duplicates": view(tmp_path, "duplicates", duplicates)}
    setting = Setting(AS_OF, "recipe", frozenset({"dedup.minhash"}), ())
    item = found(make_card(Tables(views=views, records={}), Valid2Gate(), setting))["near_duplicate_share"]
    assert item["value"] == pytest.approx(1 / 20)
    nobody = found(make_card(Tables(views=views, records={}), Valid2Gate(), SETTING))["near_duplicate_share"]
    assert "nobody looked" in nobody["why"]


def test_a_changed_text_is_found_by_its_hash(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(20)])
    raw = tables.views["raw"].to_table().to_pydict()
    raw["payload"][4] = "Another text."
    changed = Tables(views={**tables.views, "raw": view(tmp_path, "changed", raw)}, records={})
    item = found(make_card(changed, Valid2Gate(), SETTING))["hash_verified"]
    assert item["value"] == pytest.approx(19 / 20)
    assert item["examples"][0]["record_id"] == identity(4)


def test_a_record_that_raw_does_not_know_is_not_traced(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(20)])
    raw = tables.views["raw"].to_table().slice(1).to_pydict()
    short = Tables(views={**tables.views, "raw": view(tmp_path, "short", raw)}, records={})
    item = found(make_card(short, Valid2Gate(), SETTING))["traced_share"]
    assert (item["value"], item["examples"]) == (0.95, [{"record_id": identity(0), "value": "not in raw"}])


def test_synthetic_records_against_what_is_declared(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(20)], is_synthetic=[i < 5 for i in range(20)])
    items = found(make_card(tables, Valid2Gate(synthetic_share=0.05), SETTING))
    assert items["synthetic_share"]["value"] == 0.25
    assert items["synthetic_gap"]["value"] == pytest.approx(0.2)
    assert items["synthetic_gap"]["passed"] is False
    assert found(make_card(tables, Valid2Gate(), SETTING))["synthetic_gap"]["value"] is None


def test_labels_against_a_second_annotator(tmp_path: Path) -> None:
    """Twenty yes twice, fifteen no twice, five and ten apart: the example of Cohen's kappa, 0.4."""
    first = ["yes"] * 25 + ["no"] * 25 + [None] * 10
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15 + ["yes"] * 10
    tables = lake(tmp_path, [f"Text {i}." for i in range(60)], topic=first, expert=second)
    items = found(make_card(tables, Valid2Gate(annotation={"column": "topic", "reference": "expert"}), SETTING))
    assert items["annotated_share"]["value"] == pytest.approx(50 / 60)
    accuracy = items["annotation_accuracy"]
    assert (accuracy["value"], accuracy["records"], accuracy["passed"]) == (0.7, 50, False)
    assert accuracy["interval"] == pytest.approx(wilson(35, 50))
    assert {item["value"] for item in accuracy["examples"]} <= {"yes, reference no", "no, reference yes"}
    assert len(accuracy["examples"]) == 5
    assert items["annotation_kappa"]["value"] == pytest.approx(0.4)


def test_labels_against_planted_gold(tmp_path: Path) -> None:
    gold = [i % 3 if i < 20 else None for i in range(60)]
    label = [i % 3 for i in range(60)]
    tables = lake(tmp_path, [f"Text {i}." for i in range(60)], topic=label, gold=pa.array(gold, pa.int64()))
    gate = Valid2Gate(annotation={"column": "topic", "reference": "gold"})
    items = found(make_card(tables, gate, SETTING))
    assert (items["annotation_accuracy"]["value"], items["annotation_accuracy"]["records"]) == (1.0, 20)
    assert items["annotation_kappa"]["value"] == 1.0
    assert items["annotated_share"]["value"] == 1.0


def test_records_that_contradict_each_other(tmp_path: Path) -> None:
    key = ["a", "a", "b", "b", "b", "c", "d", None]
    value = ["1", "1", "2", "3", "2", "4", None, "5"]
    tables = lake(tmp_path, [f"Text {i}." for i in range(8)], isin=key, company=value)
    item = found(make_card(tables, Valid2Gate(facts={"key": "isin", "value": "company"}), SETTING))["fact_conflict"]
    assert (item["value"], item["records"], item["passed"]) == (0.5, 2, False)  # of a and b
    assert [row["value"] for row in item["examples"]] == ["b: 2", "b: 2", "b: 3"]
    alone = Valid2Gate(facts={"key": "record_id", "value": "company"})
    assert "no two records" in found(make_card(tables, alone, SETTING))["fact_conflict"]["why"]
    assert found(make_card(tables, Valid2Gate(), SETTING))["fact_conflict"]["score"] is None


def test_labels_that_cannot_be_judged_say_why(tmp_path: Path) -> None:
    tables = lake(
        tmp_path, [f"Text {i}." for i in range(20)], topic=["a"] * 20, gold=pa.array([None] * 20, pa.string())
    )
    unset = found(make_card(tables, Valid2Gate(), SETTING))["annotation_accuracy"]
    assert (unset["value"], unset["score"], unset["why"]) == (None, None, "the gate names no `annotation`")
    gate = Valid2Gate(annotation={"column": "topic", "reference": "gold"}, thresholds={"annotation_accuracy": 0.9})
    empty = found(make_card(tables, gate, SETTING))["annotation_accuracy"]
    assert (empty["score"], empty["why"]) == (0.0, "no record has both topic and gold")
    absent = Valid2Gate(annotation={"column": "topic", "reference": "second"})
    assert found(make_card(tables, absent, SETTING))["annotation_kappa"]["why"] == "the release has no column second"
    same = Valid2Gate(annotation={"column": "topic", "reference": "topic"})
    assert "one label only" in found(make_card(tables, same, SETTING))["annotation_kappa"]["why"]


def test_a_text_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    texts = [f"Text {i // 2}." for i in range(20)]
    tables = lake(tmp_path, texts, split=["train"] * 19 + ["test"])
    item = found(make_card(tables, Valid2Gate(), SETTING))["split_leak"]
    assert (item["value"], item["passed"]) == (0.1, False)


def test_declared_strata_are_counted_and_spread(tmp_path: Path) -> None:
    tables = lake(tmp_path, [f"Text {i}." for i in range(20)], topic=["a"] * 10 + ["b"] * 8 + ["c"] * 2)
    gate = Valid2Gate(strata=("topic",), thresholds={"smallest_stratum": 3})
    items = found(make_card(tables, gate, SETTING))
    assert (items["smallest_stratum"]["value"], items["smallest_stratum"]["passed"]) == (2, False)
    assert items["smallest_stratum"]["note"] == "topic c"
    shares = np.array([0.5, 0.4, 0.1])
    entropy = -(shares * np.log(shares)).sum() / math.log(3)
    assert items["stratum_entropy"]["value"] == pytest.approx(entropy)
    missing = found(make_card(tables, Valid2Gate(strata=("subject",)), SETTING))
    assert "no column subject" in missing["stratum_entropy"]["why"]


def test_unknown_values_flatter_no_entropy(tmp_path: Path) -> None:
    languages = ["en", "de"] * 4 + [None] * 12
    items = found(make_card(lake(tmp_path, ["T."] * 20, language=languages), Valid2Gate(), SETTING))
    assert items["language_entropy"]["value"] is None
    assert "40% of the tokens" in items["language_entropy"]["why"]


def test_a_million_sources_are_counted_where_they_lie(tmp_path: Path) -> None:
    n = 1_000_000
    tables = Tables(
        views={"published": view(tmp_path, "published", {"source": [f"source-{i}" for i in range(n)]})}, records={}
    )
    with session(tables) as opened:
        tracemalloc.start()
        spread = mix(opened, "source", "1")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert spread is not None
    assert spread.values == n
    assert spread.top == pytest.approx(1 / n)
    assert spread.entropy == pytest.approx(1.0, abs=1e-9)
    assert peak < 1 << 20


def test_a_sample_is_the_same_records_whatever_their_order(tmp_path: Path) -> None:
    ids = [identity(i) for i in range(20_000)]
    ordered = view(tmp_path, "ordered", {"record_id": ids})
    random.Random(1).shuffle(ids)
    shuffled = view(tmp_path, "shuffled", {"record_id": ids})
    bounds = [id_bound(one, 500, 20_000) for one in (ordered, shuffled)]
    assert bounds[0] is not None
    assert bounds[0] == bounds[1]
    taken = [
        [value for table in drawn(one, bounds[0], ["record_id"], 64) for value in table["record_id"].to_pylist()]
        for one in (ordered, shuffled)
    ]
    assert sorted(taken[0]) == sorted(taken[1]) == sorted(value for value in ids if value < bounds[0])
    assert 430 < len(taken[0]) < 570  # 500 give or take three standard deviations
    assert id_bound(ordered, 20_000, 20_000) is None
    assert sum(table.num_rows for table in drawn(ordered, None, ["record_id"], 64)) == 20_000


def test_a_sample_is_bounded_where_ids_are_no_hashes(tmp_path: Path) -> None:
    low = view(tmp_path, "low", {"record_id": [f"{i:08x}{'0' * 24}" for i in range(1 << 15)]})
    bound = id_bound(low, 500, 1 << 15)
    assert bound is not None
    assert 250 <= low.count_rows(f"record_id < '{bound}'") <= 1000


def test_a_letter_that_was_not_measured_is_broken_and_not_met(tmp_path: Path) -> None:
    card = make_card(lake(tmp_path, []), Valid2Gate(), SETTING)
    with pytest.raises(LookupError, match="nothing of vitality could be judged: the release holds no record"):
        ExpectLetterToHold(letter="vitality").judge({"valid2": card})
    with pytest.raises(LookupError, match="made no VALID² card"):
        ExpectLetterToHold(letter="vitality").judge({})
    met, observed, said = ExpectLetterToHold(letter="large_sample").judge({"valid2": card})
    assert (met, observed) == (False, 0.0)
    assert "rows is 0, at least 1 is asked for" in said


def test_there_is_a_suite_a_letter_where_the_gate_is_set() -> None:
    assert valid2_suites(None) == []
    assert [suite.name for suite in valid2_suites(Valid2Gate())] == [f"published.valid2.{name}" for name in LETTERS]
