from __future__ import annotations

import html
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from winnowry.operators.text.extract_markdown import ExtractMarkdown


def extract(text: str | None, **parameters: object) -> str | None:
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    (value,) = ExtractMarkdown.model_validate(parameters).apply(batch)["text"].to_pylist()
    assert value is None or isinstance(value, str)
    return value


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Head", "Head"),
        ("## Head ##\ntext", "Head\ntext"),
        ("Head\n====\n\ntext", "Head\n\ntext"),
        ("a *b* **c** ***d*** _e_ __f__ ~~g~~", "a b c d e f g"),
        ("中**国**人", "中国人"),
        ("**bold with *emphasis* inside**", "bold with emphasis inside"),
        ("snake_case_name, 2*3*4, a * b * c, __init__x", "snake_case_name, 2*3*4, a * b * c, __init__x"),
        ("[text](http://a.b/c_(d) 'title') and [other][1]\n\n[1]: http://a.b 'x'\n", "text and other"),
        ("[a](<b c>) ![alt](x.png) <https://a.b/c_d_e>", "a https://a.b/c_d_e"),
        ("[not a link] and array[0](x)[1]", "[not a link] and array0[1]"),
        ("> quote\n> > deeper", "quote\ndeeper"),
        ("* one\n+ two\n- [x] three\n  - four\n1. five", "- one\n- two\n- three\n  - four\n1. five"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a\tb\n1\t2"),
        ("a\n\n---\n\n* * *\n\nb", "a\n\nb"),
        ("use `a*b*c` and ``x ` y`` and `__init__`", "use a*b*c and x ` y and __init__"),
        ("```python\nx = *y  # no\n```\nafter", "x = *y  # no\n\nafter"),
        ("~~~\nopen to the *end*", "open to the *end*"),
        ("\\*not\\* \\# \\[x\\](y) \\\\", "*not* # [x](y) \\"),
        ("&lt;b&gt; &amp;amp; &copy; & so", "<b> &amp; © & so"),
        ("<p><strong>In</strong>line</p><p>x<!-- gone --></p>", "Inline\n\nx"),
        ("1 <2 and 3> 2", "1 <2 and 3> 2"),
        ("---\ntitle: x\ntags:\n  - y\n---\n# Head", "Head"),
        ("---\nno front matter\n---\n", "no front matter"),
        ("note[^1]\n\n[^1]: The note.", "note\n\nThe note."),
        ("a\n\n\n\nb", "a\n\n\n\nb"),
        ("*a*\n\n\n\nb", "a\n\nb"),
        ("C# and F# are languages", "C# and F# are languages"),
        ("#hashtag stays", "#hashtag stays"),
        ("", ""),
        (None, None),
    ],
)
def test_marks_go_and_text_stays(markdown: str | None, text: str | None) -> None:
    assert extract(markdown) == text


def test_images_and_code_are_kept_or_dropped_as_asked() -> None:
    text = "![a cat](cat.png) sits\n\n```\ncode\n```\n\nend"
    assert extract(text) == "sits\n\ncode\n\nend"
    assert extract(text, alt_texts=True, code="drop") == "a cat sits\n\nend"


def rendered_words(markdown: str) -> list[str]:
    """Words of the text, as markdown-it-py has it."""
    page = MarkdownIt("gfm-like", {"linkify": False}).render(markdown)
    page = re.sub(r"<img[^>]*>|<!--.*?-->", "", page)
    page = re.sub(r"</(p|li|h\d|td|th|tr|blockquote|pre)>|<br>|<hr>", " ", page)
    return html.unescape(re.sub(r"<[^>]*>", "", page)).split()


WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma-ray", "中文", "x2", "it's", "3.5", "e.g."]), min_size=1, max_size=5
)
SPAN = st.one_of(
    WORDS.map(" ".join),
    WORDS.map(lambda words: f"*{' '.join(words)}*"),
    WORDS.map(lambda words: f"**{' '.join(words)}**"),
    WORDS.map(lambda words: f"`{' '.join(words)}`"),
    WORDS.map(lambda words: f"[{' '.join(words)}](http://a.b/c)"),
    WORDS.map(lambda words: f"~~{' '.join(words)}~~"),
    st.sampled_from(
        ["\\*", "&amp;", "&lt;i&gt;", "![alt](x.png)", "<b>b</b>", "x <!-- c -->", "snake_case_x", "2 * 3"]
    ),
)
LINE = st.lists(SPAN, min_size=1, max_size=4).map(" ".join)
BLOCK = st.one_of(
    LINE,
    st.tuples(st.integers(1, 6), LINE).map(lambda pair: "#" * pair[0] + " " + pair[1]),
    LINE.map(lambda line: f"> {line}"),
    WORDS.map(lambda words: f"{' '.join(words)}\n==="),
    st.sampled_from(["---", "***", "```\n*code* [x](y)\n\n# no\n```", "~~~py\na | b\n~~~"]),
    st.lists(st.lists(WORDS.map(" ".join), min_size=2, max_size=2), min_size=1, max_size=3).map(
        lambda rows: "| a | b |\n|---|---|\n" + "\n".join(f"| {one} | {two} |" for one, two in rows)
    ),
)
DOCUMENT = st.lists(BLOCK, min_size=1, max_size=5).map("\n\n".join)


@given(markdown=DOCUMENT)
@settings(max_examples=100)
def test_the_words_are_those_that_markdown_it_renders(markdown: str) -> None:
    text = extract(markdown)
    assert text is not None
    assert text.split() == rendered_words(markdown)


@pytest.mark.parametrize(
    "bomb",
    [
        "`x" * 300_000, "[" * 500_000, "**a" * 200_000, "_a" * 500_000, "|" * 500_000, "<!--" * 200_000,
        "[a](" * 200_000, "\\" * 500_000, "```\n~~~\n" * 100_000, "> " * 300_000, "---\n" + "a: b\n" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.timeout(30)
def test_marks_that_never_close_are_read_in_bounded_time(bomb: str) -> None:
    assert extract(bomb) is not None
