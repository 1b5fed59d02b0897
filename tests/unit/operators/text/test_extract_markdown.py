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


MODES = ("precise", "fast")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Head", "Head"),
        ("## Head ##\ntext", "Head\ntext"),
        ("Head\n====\n\ntext", "Head\n\ntext"),
        ("a *b* **c** ***d*** _e_ __f__ ~~g~~", "a b c d e f g"),
        ("中**国**人", "中国人"),
        ("**bold with *emphasis* inside**", "bold with emphasis inside"),
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
def test_marks_go_and_text_stays(mode: str, markdown: str | None, text: str | None) -> None:
    assert extract(markdown, mode=mode) == text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        # tables
        ("| a | b |\n|---|---|\n| `--jobs` | `4` |\n| `a \\| b` | either |", "a\tb\n--jobs\t4\na | b\teither"),
        ("| a | b |\n|---|---|\n| x \\| y | [l](u) |\n|  | *e* |", "a\tb\nx | y\tl\n\te"),
        ("a | b\n--|:-:\n1 | two<br>lines | lost", "a\tb\n1\ttwo lines"),
        ("a | b\nno table", "a | b\nno table"),
        # lists
        ("- a\n  - b\n    1. c\n\n       d\n- e", "- a\n  - b\n    1. c\n\n       d\n- e"),
        ("* a\nlazy\n\n* b", "- a\n  lazy\n\n- b"),
        ("7) a\n8) b", "7) a\n8) b"),
        ("- - a", "- - a"),
        ("- [ ] open\n- [x] done\n- [y] neither\n- a [x] b", "- open\n- done\n- [y] neither\n- a [x] b"),
        ("1. a\n\n   ```\n   x\n\n     y\n   ```\n2. b", "1. a\n\n   x\n\n     y\n\n2. b"),
        # spans that fast reads line by line
        ("a *b\nc* d", "a b\nc d"),
        ("[a\nb](http://x.y) c", "a\nb c"),
        ("[![alt](i.png)](x) text", "text"),
        ("[a *b* `c`](u)", "a b c"),
        ("*a **b** c*, ***d** e*", "a b c, d e"),
        ("snake_case_name, a * b * c, __init__x, 2 < 3", "snake_case_name, a * b * c, __init__x, 2 < 3"),
        ("2*3*4", "234"),  # emphasis, by CommonMark's rules
        ("$a_b$, $x*y*z$ and $\\{a\\}$ cost *$5* or $6 *now*", "$a_b$, $x*y*z$ and $\\{a\\}$ cost $5 or $6 now"),
        ("$$\n\\begin{aligned}a*b*c \\\\ d\n$$", "$$\n\\begin{aligned}a*b*c \\\\ d\n$$"),
        (
            "| `--jobs` | `4` |\n|---|---|\n| `a \\| b` | either \\| both |\n| one |",
            "--jobs\t4\na | b\teither | both\none",
        ),
        ("a  \nb\\\nc\nd", "a\nb\nc\nd"),
        ("`` a ` b `` and `c\nd`", "a ` b and c d"),
        ("&#35; &eacute; &notanentity; `&amp;`", "# é &notanentity; &amp;"),
        ("<https://a.b/c_d_e> <me@a.b> http://a.b/_c_/*d*e", "https://a.b/c_d_e me@a.b http://a.b/_c_/*d*e"),
        ("**http://a.b/c** *ftp://a.b* _x_", "http://a.b/c ftp://a.b x"),
        # references and footnotes
        ("[a][r], [r], [R][], [none], [x][none]\n\n[r]: <u v> 'T'", "a, r, R, [none], [x][none]"),
        ("a[^1] b [^z] [^a-z]\n\n[^1]: One.\n\n    Two.\n\nafter", "a b [^z] [^a-z]\n\nOne.\n\nTwo.\n\nafter"),
        ("[^n]: word\n\nx[^n].", "word\n\nx."),
        # blocks
        ("Two\nlines\n---\ntext", "Two\nlines\ntext"),
        ("# a\n## b\ntext\n***\nmore", "a\nb\ntext\n\nmore"),
        ("> a\n> > b\n>\n> - c\nlazy", "a\nb\n\n- c\n  lazy"),
        ("text\n\n    code *a*\n      b\n", "text\n\ncode *a*\n  b"),
        ("text\n    no code *a*", "text\nno code a"),
        ("```\na\n\n\n\nb  \n```", "a\n\n\n\nb  "),
        ("````\n```\n````", "```"),
        # HTML
        ("<!-- a\n\nb -->\n\nc <!-- d --> e", "c  e"),
        ("<div>\n<b>x</b> &amp; *y*\n</div>\n\n*z*", "x & *y*\n\nz"),
        ("<script>\nlet a = '*b*';\n</script>\n\nc *d*", "c d"),
        ("Vec<T> <b>c</b><br>d <kbd>e</kbd>", "Vec<T> c\nd e"),
        ("<details><summary>a</summary>\n\n*b*\n\n</details>", "a\n\nb"),
        # front matter
        ("---\na: 1\n---\n\n*b*\n\n---\n\nc: 2\n---", "b\n\nc: 2"),
    ],
)
def test_a_parser_reads_what_goes_over_lines_and_what_is_nested(markdown: str, text: str) -> None:
    assert extract(markdown) == text


def test_the_fast_mode_reads_line_by_line() -> None:
    text = "snake_case_name, 2*3*4, a * b * c, __init__x, *d\ne*"
    assert extract(text, mode="fast") == text


@pytest.mark.parametrize(
    "costly",
    [
        "*a*\n\n" + "text " * 110_000,
        "*a*\n" + "b\n" * 20_001,
        "*a* " + "[" * 1_001,
        "*a*\n\n" + "[b] " * 900 + "\n\n" + "<c>\n\n" * 20_001,
        "> " * 70 + "*a*",
    ],
    ids=["long", "lines", "brackets in a paragraph", "brackets", "deep"],
)
def test_what_a_parser_would_need_too_long_for_is_read_line_by_line(costly: str) -> None:
    assert extract(costly) == extract(costly, mode="fast")


@pytest.mark.parametrize("depth", [1, 20, 29, 40, 200, 3000])
def test_no_text_is_lost_however_deep_it_is_nested(depth: int) -> None:
    for mark in ("> ", "- ", "1. ", "*", "[", "**a _b"):
        assert "needle" in (extract(mark * depth + "needle") or "")
    nested = "\n".join("  " * level + f"- needle{level}" for level in range(depth % 500))
    assert (extract(nested) or "").count("needle") == depth % 500


@given(text=st.text(alphabet="ab \n\t-*_#>`~[]()!|:\\&;<x/1.^", max_size=60))
@settings(max_examples=300)
@pytest.mark.parametrize("mode", MODES)
def test_letters_stay_whatever_the_marks(mode: str, text: str) -> None:
    extracted = extract(text, mode=mode)
    assert extracted is not None
    assert len(extracted) <= 3 * len(text) + 2


@pytest.mark.parametrize("mode", MODES)
def test_images_and_code_are_kept_or_dropped_as_asked(mode: str) -> None:
    text = "![a cat](cat.png) sits\n\n```\ncode\n```\n\nend"
    assert extract(text, mode=mode) == "sits\n\ncode\n\nend"
    assert extract(text, mode=mode, alt_texts=True, code="drop") == "a cat sits\n\nend"


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
@pytest.mark.parametrize("mode", MODES)
def test_the_words_are_those_that_markdown_it_renders(mode: str, markdown: str) -> None:
    text = extract(markdown, mode=mode)
    assert text is not None
    assert text.split() == rendered_words(markdown)


@pytest.mark.parametrize(
    "bomb",
    [
        "`x" * 300_000, "[" * 500_000, "**a" * 200_000, "_a" * 500_000, "|" * 500_000, "<!--" * 200_000,
        "[a](" * 200_000, "\\" * 500_000, "```\n~~~\n" * 100_000, "> " * 300_000, "---\n" + "a: b\n" * 100_000,
        "x <![CDATA[" * 50_000, "![[]()" * 50_000, "x <a b='" * 50_000, "- a\n" * 100_000, "a | b\n--|--\n" * 50_000,
        "[^a]: b\n" * 50_000, "* " * 200_000, "".join(" " * n + "- a\n" for n in range(700)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("chars", [50_000, 2_000_000])
@pytest.mark.timeout(30)
def test_marks_that_never_close_are_read_in_bounded_time(bomb: str, chars: int) -> None:
    assert extract(bomb[:chars]) is not None
