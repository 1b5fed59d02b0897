"""Pages of the lake are served, and nothing else below its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.gates.docs import stored_page
from winnowry.gates.judge import Configuration, Judged, JudgedSuite
from winnowry.runs.lake_pages import is_page, page_address, read_page

PAGES = [
    "small/releases/v1/page.html",
    "small/releases/v12/card.croissant.json",
    "small/releases/v1/README.md",
    "small/releases/v1/recipe.json",
    "small/data_docs/cleaned/01J0/index.html",
    "small/data_docs/raw/01J0/raw.contract.html",
]
OTHERS = [
    "landing/small/2020.jsonl",
    "small/raw.lance/data/1.lance",
    "small/releases/v1/facts.json",
    "small/releases/v1/../../raw.lance/page.html",
    "small/releases/../releases/v1/page.html",
    "small/data_docs/../../../etc/x.html",
    "small/data_docs/./x.html",
    "small/data_docs//x.html",
    "small/data_docs/x.html\n",
    "small/data_docs/a\\..\\b.html",
    "small/data_docs/x.svg",
    "small/promotions/raw/1.json",
    "../small/releases/v1/page.html",
    "/small/releases/v1/page.html",
    "",
]


@pytest.mark.parametrize("path", PAGES)
def test_release_pages_cards_and_data_docs_are_pages(path: str, tmp_path: Path) -> None:
    assert is_page(path)
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"content")
    assert read_page(str(tmp_path), path) == b"content"


@pytest.mark.filterwarnings("ignore")
def test_the_page_of_suites_is_shown_as_great_expectations_makes_it(tmp_path: Path) -> None:
    asked = Configuration("expect_column_values_to_not_be_null", {"column": "text"}, "critical")
    result = {"element_count": 3, "unexpected_count": 1, "unexpected_percent": 33.3, "partial_unexpected_list": [None]}
    stored = stored_page("small.raw", [JudgedSuite("raw.quality", (Judged(asked, False, result),))])
    assert stored is not None
    path = "small/data_docs/raw/01J0/suites.html"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(stored, encoding="utf-8")
    shown = read_page(str(tmp_path), path)
    assert shown is not None
    assert b"Evaluated Expectations" in shown
    assert b"values must never be null" in shown

    damaged = stored.replace("expect_column_values", "no_such_kind")
    (tmp_path / path).write_text(damaged, encoding="utf-8")
    assert read_page(str(tmp_path), path) == damaged.encode()


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_is(path: str) -> None:
    assert not is_page(path)


def test_a_symbolic_link_leads_to_no_file_outside(tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("secret", encoding="utf-8")
    release = tmp_path / "lake" / "small" / "releases" / "v1"
    release.mkdir(parents=True)
    (release / "page.html").symlink_to(secret)
    (tmp_path / "lake" / "small" / "data_docs").symlink_to(tmp_path)
    assert read_page(str(tmp_path / "lake"), "small/releases/v1/page.html") is None
    assert read_page(str(tmp_path / "lake"), "small/data_docs/secret.html") is None


def test_a_corpus_may_lie_on_another_disk(tmp_path: Path) -> None:
    page = tmp_path / "disk" / "small" / "releases" / "v1" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(b"content")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "small").symlink_to(tmp_path / "disk" / "small")
    assert read_page(str(tmp_path / "lake"), "small/releases/v1/page.html") == b"content"


@pytest.mark.parametrize("root", ["/data/lake", "/data/my lake#1", "s3://bucket/lake", "s3://bucket", "relative"])
def test_the_address_of_a_page_is_relative_to_the_ui_whatever_the_root(root: str) -> None:
    for path in PAGES:
        assert page_address(f"{root}/{path}", "small") == f"/lake/{path}"
    assert page_address(PAGES[0], "small") == f"/lake/{PAGES[0]}"
    assert page_address(f"{root}/small/raw.lance", "small") is None
    assert page_address(f"{root}/other/releases/v1/page.html", "small") is None


def test_a_name_that_an_address_cannot_hold_is_quoted() -> None:
    assert (
        page_address("/l/small/data_docs/raw/1/a b#1?.html", "small") == "/lake/small/data_docs/raw/1/a%20b%231%3F.html"
    )
