"""Cards of a release: what catalogues read; texts of others stay text, and nothing that nobody states is in them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.unit.report.test_release_page import facts
from winnowry.report.card_terms import license_sentence
from winnowry.report.croissant import croissant, data_type
from winnowry.report.markdown_card import markdown_card
from winnowry.report.release_page import release_page
from winnowry.report.release_pictures import pictures_in_markdown

EVIL = "a\n---\nlicense: mit\n| <b>x</b> `y` [z](http://w)"


def licensed(*stated: tuple[str | None, int]) -> dict[str, Any]:
    """Facts of three records a licence, with these licences."""
    listed = [{"name": name, "rows": rows, "tokens": 10 * rows} for name, rows in stated]
    rows = sum(count for _, count in stated)
    contents = {**facts()["contents"], "rows": rows, "tokens": 10 * rows, "licenses": {
        "listed": listed, "total": len(listed), "rest_rows": 0},
        "unlicensed": sum(count for name, count in stated if name is None)}  # fmt: skip
    return facts(contents=contents, corpus="letters")


def front(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    found: dict[str, Any] = YAML(typ="safe").load(matter)
    return found


@pytest.mark.parametrize(
    ("stated", "hub", "name", "croissant_says", "said"),
    [
        ((("CC-BY-4.0", 3),), "cc-by-4.0", None, "CC-BY-4.0", "Stated licence: CC-BY-4.0."),
        (
            (("CC-BY-4.0", 2), ("ODC-By-1.0", 1)), ["cc-by-4.0", "odc-by"], None, ["CC-BY-4.0", "ODC-By-1.0"],
            "Stated licences: CC-BY-4.0, ODC-By-1.0.",
        ),
        (
            (("our own", 2), (None, 1)), ["other", "unknown"], "our own", "our own",
            "Stated licence: our own; 1 of 3 records state none.",
        ),
        (((None, 3),), "unknown", None, None,
         "No record states a licence: whether the data may be used is for the reader to find out."),
    ],
)  # fmt: skip
def test_a_licence_is_what_the_records_state(
    stated: Any, hub: Any, name: str | None, croissant_says: Any, said: str
) -> None:
    found = licensed(*stated)
    card, matter = croissant(found), front(markdown_card(found))
    assert matter["license"] == hub
    assert matter.get("license_name") == name
    assert card.get("license") == croissant_says
    assert license_sentence(found) == said
    assert said in card["description"]


def test_names_cannot_break_out_of_the_front_matter_or_the_markdown() -> None:
    found = licensed((EVIL, 3))
    found["contents"]["sources"] = {"listed": [{"name": EVIL, "rows": 3, "tokens": 30}], "total": 1, "rest_rows": 0}
    text = markdown_card(found)
    assert front(text)["license"] == "other"
    assert front(text)["license_name"] == "a --- license: mit | <b>x</b> `y` [z](http://w)"
    body = text.split("---\n", 2)[2]
    outside = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    assert "<b>" not in outside
    assert "<script" not in outside
    assert "[z](" not in outside
    rows = [line for line in outside.splitlines() if line.startswith("| a ---")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [6, 6]  # of the sources and of the licences


def test_code_in_the_markdown_stays_in_its_fence() -> None:
    use = {"read": "x = 1\n```\n<script>alert(1)</script>", "cite": "@misc{a}", "reproduce": "run"}
    text = markdown_card(facts(use=use))
    opened = text.index("````python")
    assert "<script>" in text[opened : text.index("\n````\n", opened)]
    assert "<script>" not in text.split("---\n", 2)[2].replace(use["read"], "")


def test_every_reference_of_the_croissant_card_resolves_and_it_is_json() -> None:
    card = json.loads(json.dumps(croissant(facts(), table="../../published.lance")))
    nodes = [*card["distribution"], *card["recordSet"], *card["recordSet"][0]["field"]]
    ids = [node["@id"] for node in nodes]
    assert len(set(ids)) == len(ids)
    assert card["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] in ids
    assert card["distribution"][0]["contentUrl"] == "../../published.lance/_versions/1.manifest"
    assert card["distribution"][0]["sha256"] == "0" * 64
    assert card["distribution"][1]["includes"] == "../../published.lance/data/*.lance"
    assert all(":" not in key or key.split(":")[0] in card["@context"] for key in card)


def test_a_card_leaves_out_what_nobody_knows() -> None:
    data = {**facts()["contents"], "languages": None, "time": {"first": None, "last": None, "undated": 3}}
    release = {**facts()["release"], "created_at": None}
    made = {"stages": {}, "seed": None, "packages": {}}
    table = {**facts()["table"], "manifest": None}
    card = croissant(facts(contents=data, release=release, made=made, table=table, limits=[], about=None))
    for name in ("inLanguage", "temporalCoverage", "datePublished", "creator", "url", "rai:dataLimitations",
                 "rai:dataPreprocessingProtocol", "rai:dataCollection"):  # fmt: skip
        assert name not in card
    assert len(card["distribution"]) == 1
    assert "None" not in json.dumps(card)


@pytest.mark.parametrize(
    ("arrow", "wanted"),
    [("uint8", "cr:UInt8"), ("halffloat", "cr:Float16"), ("date32[day]", "sc:Date"), ("bool", "sc:Boolean"),
     ("binary", None), ("dictionary<values=string, indices=int32, ordered=0>", None)],
)  # fmt: skip
def test_types_are_those_of_the_specification(arrow: str, wanted: str | None) -> None:
    assert data_type(arrow) == wanted


@pytest.mark.parametrize("case", [{"changes": None}, {"scores": None}, {"comparison": None},
                                  {"gates": {"suites": [], "notable": [], "n_notable": 0, "own": []}}])  # fmt: skip
def test_a_card_is_made_of_a_release_that_lacks_a_stage(case: dict[str, Any]) -> None:
    text = markdown_card(facts(**case))
    assert text.startswith("---\npretty_name: ")
    assert "<script" not in re.sub(r"```.*?```", "", text.split("---\n", 2)[2], flags=re.DOTALL)
    assert croissant(facts(**case))["@type"] == "sc:Dataset"


def test_records_made_of_records_are_no_share_of_what_was_read() -> None:
    """Two documents that became twelve chunks, of which nine were published."""
    first, last = facts()["funnel"]
    steps = [{**first, "rows": 2}, {**first, "stage": "cleaned", "label": "cleaned", "rows": 12}, {**last, "rows": 9}]
    grown = facts(funnel=steps, contents={**facts()["contents"], "rows": 9})

    page, card = release_page(grown), markdown_card(grown)
    described = croissant(grown)["description"]

    assert "450.0 %" not in page + card
    assert "<b>2</b><span>records read</span>" in page
    assert "of the step with most" in card
    assert "made from 2 that were read" in described


def of_media(modality: str, *columns: tuple[str, str]) -> dict[str, Any]:
    named = [{"name": name, "type": kind, "nullable": True} for name, kind in columns]
    return facts(media={modality: {"records": 3, "medians": {}}}, table={**facts()["table"], "columns": named})


BLOB = "extension<lance.blob.v2<BlobType>>"


@pytest.mark.parametrize(
    ("modality", "kind"), [("image", "sc:ImageObject"), ("audio", "sc:AudioObject"), ("video", "sc:VideoObject")]
)
def test_croissant_says_that_contents_and_thumbnails_are_media(modality: str, kind: str) -> None:
    span = "struct<start: double, end: double, unit: string>"
    columns = (("payload", BLOB), ("thumbnail", "binary"), ("other", "binary"), ("span", span))
    fields = {field["name"]: field for field in croissant(of_media(modality, *columns))["recordSet"][0]["field"]}
    assert list(fields) == ["payload", "thumbnail", "span"]
    assert (fields["payload"]["dataType"], fields["thumbnail"]["dataType"]) == (kind, "sc:ImageObject")
    assert "dataType" not in fields["span"]
    assert [(part["name"], part["dataType"]) for part in fields["span"]["subField"]] == [
        ("span/start", "cr:Float64"), ("span/end", "cr:Float64"), ("span/unit", "sc:Text"),
    ]  # fmt: skip
    assert front(markdown_card(of_media(modality, *columns)))["tags"] == [modality]


def test_of_texts_and_mixed_files_nobody_says_what_they_are() -> None:
    mixed = of_media("image", ("payload", BLOB), ("text", "large_string"))
    mixed["media"]["audio"] = {"records": 1, "medians": {}}
    assert [field["name"] for field in croissant(mixed)["recordSet"][0]["field"]] == ["text"]
    assert "tags" not in front(markdown_card(facts()))


def test_the_card_has_both_families_and_escapes_their_names() -> None:
    from tests.unit.report.test_release_page import experienced

    card = markdown_card(facts(families=experienced()))
    assert "## Quality, to people and to a machine" in card
    assert "| piqe | flipped | -0.50 |" in card
    assert "<script" not in card.partition("## Quality")[2].partition("## From raw")[0]
    assert "not measured" in markdown_card(facts(families=experienced(columns=[], pairs=[])))


def test_markdown_holds_as_many_pictures_as_fit() -> None:
    picture = {"record_id": "0" * 32, "caption": EVIL, "jpeg": "A" * 5000}
    drawn = pictures_in_markdown([picture] * 9)
    assert drawn.count("](data:image/jpeg;base64,AAAA") == 2
    assert len(drawn) <= 12 << 10
    assert EVIL not in drawn
    assert pictures_in_markdown([{**picture, "jpeg": "A" * 20_000}]) == ""
    sound = pictures_in_markdown([{"record_id": "1" * 32, "caption": "", "waveform": [0.5, 1.0]}])
    assert sound.startswith("![11111111111111111111111111111111](data:image/svg+xml;base64,")
