"""What must survive of a page: one fixture a construct, the text written by hand."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pytest

from winnowry.operators.text.extract_html import ExtractHtml

FIRST = "This is the first paragraph of the article and it has enough words in it."
LAST = "This is the last paragraph of the article and it has enough words too."


def extract(page: str, main_content: Literal["pages", "always", "never"] = "pages", alt_texts: bool = False) -> str:
    batch = pa.record_batch([pa.array([page], pa.large_string())], names=["text"])
    text = ExtractHtml(main_content=main_content, alt_texts=alt_texts).apply(batch)["text"][0].as_py()
    assert isinstance(text, str)
    return text


def between(content: str, frame: str = "<main><article>{}</article></main>", language: str = "en") -> str:
    """The text that a piece of a page becomes between two paragraphs."""
    article = frame.format(f"<h1>Head</h1><p>{FIRST}</p>{content}<p>{LAST}</p>")
    text = extract(f'<!doctype html><html lang="{language}"><body>{article}</body></html>')
    begin, end = text.index(FIRST) + len(FIRST), text.index(LAST)
    return text[begin:end].strip("\n")


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "<main>{}</main>",
        "<main><article>{}</article></main>",
        "<div><div>{}</div></div>",
        "<div><div><main><article><div>{}</div></article></main></div></div>",
    ],
)
@pytest.mark.parametrize(
    ("lists", "text"),
    [
        (
            "<ul><li>Apples keep for months.</li><li>Pears for a week.</li></ul>",
            "  • Apples keep for months.\n  • Pears for a week.",
        ),
        (
            "<ol><li>Apples keep for months.</li><li>Pears for a week.</li></ol>",
            "  1. Apples keep for months.\n  2. Pears for a week.",
        ),
        (
            "<ul><li>Fruit<ul><li>Apples</li><li>Pears</li></ul></li><li>Bread</li></ul>",
            "  • Fruit\n    • Apples\n    • Pears\n  • Bread",
        ),
        (
            "<ul><li><a href=/r>requests</a>, HTTP for humans</li><li><a href=/n>numpy</a>, arrays of num</li></ul>",
            "  • requests, HTTP for humans\n  • numpy, arrays of num",
        ),
    ],
    ids=["bullets", "numbers", "nested", "with links"],
)
def test_lists_stay_however_deep_they_lie(frame: str, lists: str, text: str) -> None:
    assert between(lists, frame) == text


@pytest.mark.parametrize(
    "menu",
    [
        '<ul><li><a href="/">Home</a></li><li><a href="/news">News</a></li><li><a href="/about">About us</a></li></ul>',
        '<ul class="nav"><li>Home of the whole site</li></ul>',
        "<nav><ul><li>Home of the whole site</li></ul></nav>",
        '<aside><a href="/1">Read this too</a></aside>',
        '<figure><img src="cat.jpg" alt="A cat"></figure>',
        "<video>Your browser shows no films.</video><iframe>Nor frames.</iframe><noscript>Nor scripts.</noscript>",
        "<button>Subscribe</button><select><option>All countries</option></select>",
        "<svg><text>axis</text></svg><template>not shown</template>",
        '<i class="icon">&#xe900;</i>',
    ],
)
def test_what_is_no_text_of_the_article_goes(menu: str) -> None:
    assert between(menu) == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('<figure class="highlight"><pre><code>if x:\n    go()</code></pre></figure>', "if x:\n    go()"),
        (
            "<figure><table><tr><td>Paris<td>2.1<tr><td>Lyon<td>0.5</table><figcaption>Inhabitants</figcaption></figure>",
            "Paris\t\t2.1\nLyon\t\t0.5\nInhabitants",
        ),
        ("<figure><blockquote><p>Less is more.</p></blockquote></figure>", "Less is more."),
        ('<figure><img alt="A cat"><figcaption>On the mat</figcaption></figure>', "On the mat"),
        ("<figure><video>no film</video><figcaption>The talk of May</figcaption></figure>", "The talk of May"),
        ("<figure><figure><p>Inner</p></figure><p>Outer</p></figure>", "Inner\n\nOuter"),
        ('<table role="presentation"><tr><td>Laid out</td></tr></table>', "Laid out"),
        ("<table><tr><th>性别</th></tr><tr><td>男</td></tr><tr><td>女</td></tr></table>", "性别\n男\n女"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<blockquote>Quoted.</blockquote>", "Quoted."),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "Term\nMeaning"),
        ("<details><summary>Why</summary><p>Because.</p></details>", "Why\n\nBecause."),
        ("<aside><p>Mind the gap.</p></aside>", "Mind the gap."),
        ("<h2><button>Is it free?</button></h2><p>Yes.</p>", "Is it free?\n\nYes."),
        ("<ul><li><label><input type=checkbox> Buy milk</label></li></ul>", "  • Buy milk"),
        ("<p>Doors open at <time>7 pm</time> sharp.</p>", "Doors open at 7 pm sharp."),
        ("<p>He said <q>yes, <q>no</q></q>.</p>", "He said “yes, ‘no’”."),
        ("<p><ruby>漢<rt>kan</rt></ruby>, <ruby>字<rp>(</rp><rt>ji</rt><rp>)</rp></ruby></p>", "漢(kan), 字(ji)"),
        ("<p><b>one</b>&mdash;<i>two</i> <b>→</b> three</p>", "one—two → three"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("<p>a<del>b</del><ins>c</ins> <kbd>Ctrl</kbd>+<kbd>C</kbd></p>", "abc Ctrl+C"),
    ],
)
def test_every_construct_of_an_article_keeps_its_text(content: str, text: str) -> None:
    assert between(content) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("10<sup>6</sup> cells, 2<sup>10</sup> bytes and x<sup>n+1</sup>", "10^6 cells, 2^10 bytes and x^(n+1)"),
        ("100<sup>2</sup>=10000, 10<sup>-3</sup> m<sup>2</sup>", "100^2=10000, 10^-3 m^2"),
        (
            "2<sup>2<sup>n</sup></sup>, e<sup>x</sup>dx, Ca<sup>2+</sup>, Na<sup>+</sup>",
            "2^(2^n), e^(x)dx, Ca^(2+), Na+",
        ),
        (
            "x<sub>i</sub><sup>2</sup>, x<sub>n+1</sub>, 101<sub>2</sub>, v<sub>max</sub>",
            "x_i^2, x_(n+1), 101_2, v_max",
        ),
        (
            "H<sub>2</sub>O, CO<sub>2</sub>, Ca(OH)<sub>2</sub>, SO<sub>4</sub><sup>2−</sup>",
            "H2O, CO2, Ca(OH)2, SO4^(2−)",
        ),
        ("log<sub>2</sub> n, log<sub>2</sub>8", "log_2 n, log_(2)8"),
        ("1<sup>st</sup>, 22<sup>nd</sup>, n<sup>th</sup>, XIX<sup>e</sup>", "1st, 22nd, nth, XIXe"),
        ("Brand<sup>®</sup>, Brand<sup>TM</sup>, 20<sup>o</sup>C", "Brand®, BrandTM, 20°C"),
        (
            "In 2010.<sup><a href='#n3'>3</a></sup> So<sup class='reference'><a href='#c'>[1]</a></sup>",
            "In 2010.[3] So[1]",
        ),
        ("<sup>1</sup> A note.", "1 A note."),
        ("<i>a</i><sup><i>n</i></sup>", "a^n"),
    ],
)
def test_raised_and_lowered_text_changes_no_number(content: str, text: str) -> None:
    assert between(f"<p>{content}</p>") == text
    assert extract(f"<p>{content}</p>") == text


def test_a_french_page_has_french_ordinals() -> None:
    assert between("<p>le 2<sup>e</sup> jour</p>", language="fr") == "le 2e jour"
    assert between("<p>about 2<sup>e</sup></p>") == "about 2^e"


KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi></mrow>'
    '<annotation encoding="application/x-tex">E=m</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true">E=m</span></span>'
)
WIKIPEDIA = (
    '<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;"><math '
    'alttext="{\\displaystyle a^{2}}"><semantics><mi>a</mi><annotation encoding="application/x-tex">'
    "{\\displaystyle a^{2}}</annotation></semantics></math></span>"
    '<img class="mwe-math-fallback-image-inline" alt="{\\displaystyle a^{2}}"></span>'
)
MATHJAX_2 = (
    '<span class="MathJax_Preview">E</span><span class="MathJax"><nobr>E=mc2</nobr></span>'
    '<script type="math/tex">E=mc^2</script>'
)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ('<script type="math/tex">E=mc^2</script>', "E=mc^2"),
        (MATHJAX_2, "E=mc^2"),
        (KATEX, "E=m"),
        (WIKIPEDIA, "a^{2}"),
        ('<math alttext="\\frac{1}{2}"><mfrac><mn>1</mn><mn>2</mn></mfrac></math>', "\\frac{1}{2}"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mi>b</mi></mfrac></math>", "(a+1)/b"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><msqrt><mi>y</mi></msqrt></math>", "x^2=√(y)"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup></math>", "x_i^2"),
        ('<script type="math/mml"><math><msup><mi>x</mi><mn>2</mn></msup></math></script>', "x^2"),
        ('<img class="latex" src="f.png" alt="x+1">', "x+1"),
        ("\\(E=mc^2\\) and $a_b$", "\\(E=mc^2\\) and $a_b$"),
    ],
)
def test_a_formula_is_there_once(formula: str, text: str) -> None:
    assert between(f"<p>It is {formula} here.</p>") == f"It is {text} here."


def test_a_displayed_formula_has_a_line_of_its_own() -> None:
    formula = '<p>So<script type="math/tex; mode=display">a=b</script>holds.</p>'
    assert between(formula).split("\n") == ["So", "a=b", "holds."]


def test_images_have_their_texts_where_these_are_asked_for() -> None:
    page = f'<html><body><main><p>{FIRST}</p><figure><img alt="A cat"></figure><p>{LAST}</p></main></body></html>'
    assert "A cat" in extract(page, alt_texts=True)
    assert "A cat" not in extract(page)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "markup",
    ["x<sup>2</sup>" * 30_000,
     "<ul><li>word</li></ul>" * 20_000, "<ul><li>" * 240 + "x", "<math><mi>x</mi></math>" * 5000,
     "<math>" + "<mrow>" * 400 + "x"],
    ids=["sup", "lists", "nested lists", "formulas", "nested formula"],
)  # fmt: skip
def test_many_of_them_take_linear_time(markup: str) -> None:
    assert "x" in extract(f"<html><body><p>x</p>{markup}</body></html>", "always")
