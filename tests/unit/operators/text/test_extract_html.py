from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pytest

from winnowry.operators.text.extract_html import ExtractHtml, strip_tags

PAGE = (
    "<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><nav><a href='/'>Home</a></nav>"
    "<main><p>The <b>main</b> text &amp; more.</p><script>var x;</script></main><footer>Imprint</footer></body></html>"
)
FRAGMENT = "<p>Options:</p><ul><li>One</li><li>Two</li></ul>"


def extract(text: str | None, main_content: Literal["pages", "always", "never"] = "pages") -> str | None:
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    (value,) = ExtractHtml(main_content=main_content).apply(batch)["text"].to_pylist()
    assert value is None or isinstance(value, str)
    return value


def test_a_page_keeps_its_main_content_only() -> None:
    assert extract(PAGE) == "The main text & more."


def test_a_page_keeps_everything_readable_when_asked() -> None:
    whole = extract(PAGE, "never")
    assert whole is not None
    assert whole.split() == ["Home", "The", "main", "text", "&", "more.", "Imprint"]


def test_a_fragment_keeps_its_lists() -> None:
    text = extract(FRAGMENT)
    assert text is not None
    assert text.split() == ["Options:", "•", "One", "•", "Two"]


def test_a_page_whose_main_content_is_not_found_keeps_its_text() -> None:
    text = extract("<html><body><ul><li>Only</li><li>lists</li></ul></body></html>")
    assert text is not None
    assert "Only" in text
    assert "lists" in text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "plain text",
        "if a < b and c > d:\n    pass",
        "# Markdown\n\nUse `<b>` or <br> sparingly.\n\n- item",
        "<rss><channel><item>not html</item></channel></rss>",
        "text with one </p> end tag\nand lines",
    ],
)
def test_what_is_not_html_stays_as_it_is(text: str | None) -> None:
    assert extract(text) == text


@pytest.mark.parametrize(
    "text", ["<p>x</p>", " \ufeff\n<DIV class='a'>x</DIV>", "x<p>a</p><p>b</p><p>c</p>", '<?xml version="1.0"?><html>x']
)
def test_html_is_recognised_by_its_beginning_or_its_end_tags(text: str) -> None:
    extracted = extract(text)
    assert extracted is not None
    assert "<" not in extracted
    assert "x" in extracted


def test_stripping_tags_keeps_blocks_apart_and_words_together() -> None:
    markup = "<h1>Head</h1><!-- no --><p>in<b>side</b> a &lt; b<script>if (a<b) x</script></p><p>next"
    assert strip_tags(markup) == "Head\ninside a < b\nnext"


@pytest.mark.parametrize(
    "bomb",
    [
        "<div>" * 100_000 + "text" + "</div>" * 100_000,
        "<p>" + "".join(f"<font color={i}>" for i in range(300)) + "<p>text" * 20_000,
        "<div " + " ".join(f"a{i}=1" for i in range(100_000)) + ">text</div>",
        "<p>text" + "<a " * 300_000,
        "<p>text" + "<" * 1_000_000,
        "<p>text" + "</div>" * 500_000,
        "<p>text</p>" * 50_000,
        "<p>text" + "<script>" * 200_000,
        "<p>text" + "<!--" * 200_000,
        "<table><tr><td>" * 30_000 + "text",
    ],
    ids=[
        "nesting", "formatting", "attributes", "open tag", "angle brackets", "end tags", "blocks", "scripts",
        "comments", "tables",
    ],
)  # fmt: skip
@pytest.mark.timeout(30)
def test_markup_bombs_are_read_in_bounded_time(bomb: str) -> None:
    extracted = extract(bomb, "always")
    assert extracted is not None
    assert extracted.lstrip().startswith("text")


BOILERPLATE = (
    "<html><body><header>Big News Daily</header><div class='menu'>"
    + "".join(f"<a href='/{i}'>Section {i}</a> " for i in range(30))
    + "</div><article><h1>Rates stay where they are</h1>"
    + "".join(
        f"<p>Paragraph {i}: the committee met on Tuesday and decided, after a long discussion, to wait.</p>"
        for i in range(5)
    )
    + "</article><div class='related'><a href='/x'>You may also like this story about cats</a></div>"
    "<div id='comments'><p>A comment of a reader that nobody asked for, of some length.</p></div></body></html>"
)


def precise(text: str | None) -> str | None:
    pytest.importorskip("trafilatura", reason="needs the extra winnowry[web]")
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    (value,) = ExtractHtml(mode="precise").apply(batch)["text"].to_pylist()
    assert value is None or isinstance(value, str)
    return value


@pytest.mark.extras
def test_precise_mode_keeps_the_article_and_neither_menu_nor_comments() -> None:
    text = precise(BOILERPLATE)
    assert text is not None
    assert text.split("\n")[0] == "Rates stay where they are"
    assert text.count("the committee met") == 5
    for unwanted in ("Section", "also like", "comment of a reader", "Big News"):
        assert unwanted not in text


@pytest.mark.extras
@pytest.mark.parametrize("text", [None, "", "plain text", "<html><body><ul><li>Only</li></ul></body></html>", FRAGMENT])
def test_precise_mode_reads_what_has_no_article_as_fast_mode_does(text: str | None) -> None:
    assert precise(text) == extract(text)


@pytest.mark.extras
@pytest.mark.timeout(60)
def test_precise_mode_leaves_pages_of_too_many_tags_to_fast_mode() -> None:
    page = "<html><body>" + "<table><tr><td>cell</td></tr></table>" * 20_000 + "</body></html>"
    assert precise(page) == extract(page)


def test_precise_mode_without_trafilatura_is_refused_when_the_recipe_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"winnowry\[web\]"):
        ExtractHtml(mode="precise")
    assert ExtractHtml().mode == "fast"


def test_precise_mode_has_main_content_to_find() -> None:
    with pytest.raises(ValueError, match="never"):
        ExtractHtml(mode="precise", main_content="never")
