"""Formulas of HTML pages as one line of text: their TeX source where the page has it, else MathML written in a line."""

from __future__ import annotations

import re
from typing import cast

from winnowry.operators.text.html_tree import Element, Page

FORMULA_SIGNS = ("<math", "math/", "mwe-math", "latex", '"tex', "'tex", " tex", "=tex")
"""What a page with a formula has in it, in lower case."""

_RENDERED = ".katex, mjx-container, .mwe-math-element, .MathJax, .MathJax_SVG, .MathJax_CHTML, .mjx-chtml"
"""What holds a formula several times over: for the eye and for readers of the screen."""
_PREVIEWS = ("MathJax", "mjx-chtml")
_DISPLAYED = ".katex-display, .MathJax_Display, .mwe-math-element-block"
_IMAGES = (
    "img.tex[alt], img.latex[alt], img.mwe-math-fallback-image-inline[alt], img.mwe-math-fallback-image-display[alt]"
)
_STYLE = re.compile(r"\A\{\\(?:display|text|script)style\b\s*(.*)\}\Z", re.DOTALL)
_SIMPLE = re.compile(r"[+\-\u2212\u2013]?(?:\d+(?:[.,]\d+)?|[^\W\d_]+|[^\w\s])")
_INVISIBLE = str.maketrans({"\u2061": " ", "\u2062": "", "\u2063": ",", "\u2064": "", "\u200b": ""})
_DEEPEST = 100


def grouped(text: str) -> str:
    """An exponent, index or part of a fraction: in parentheses unless it is one number, word or sign."""
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def write_formulas(tree: Page) -> None:
    """Replace every formula of a page by its text, in place."""
    body = tree.body
    for script in body.query_selector_all("script[type^='math/']")[:]:
        _forget_rendering(script)
        kind = str(script.getattr("type", "")).lower()
        if kind.startswith("math/mml"):
            formula = _of_markup(script.text)
        else:
            formula = _tidy(script.text)
        _replace(tree, script, formula, displayed="display" in kind)
    for math in body.query_selector_all("math")[:]:
        if math.parent is not None:
            outermost = math.closest(_RENDERED) or math
            _replace(tree, outermost, _of_math(math), displayed=math.getattr("display") == "block")
    for image in body.query_selector_all(_IMAGES)[:]:
        _replace(tree, image, _tidy(str(image.getattr("alt"))), displayed=False)


def _forget_rendering(script: Element) -> None:
    """Remove what MathJax 2 drew before the source of a formula."""
    while (drawn := script.prev_element) is not None and str(drawn.getattr("class", "")).startswith(_PREVIEWS):
        drawn.decompose()


def _replace(tree: Page, node: Element, formula: str, *, displayed: bool) -> None:
    if node.parent is None:
        return
    block = displayed or node.closest(_DISPLAYED) is not None
    written = tree.create_element("div" if block else "span")
    written.text = formula
    node.parent.replace_child(written, node)


def _tidy(tex: str) -> str:
    tex = " ".join(tex.split()).removeprefix("% <![CDATA[").removesuffix("%]]>").strip()
    wrapped = _STYLE.match(tex)
    return wrapped[1].strip() if wrapped else tex


def _of_markup(markup: str) -> str:
    from resiliparse.parse.html import HTMLTree

    body = cast("Element | None", HTMLTree.parse(markup).body)
    math = body.query_selector("math") if body is not None else None
    return _of_math(math) if math is not None else ""


def _of_math(math: Element) -> str:
    for annotation in math.query_selector_all("annotation")[:]:
        if "tex" in str(annotation.getattr("encoding", "")).lower():
            return _tidy(annotation.text)
    return _tidy(str(math.getattr("alttext", "") or "")) or " ".join(_in_a_line(math, 0).split())


def _in_a_line(node: Element, depth: int) -> str:
    """Presentation MathML in the notation of text: ``a/(b+1)``, ``x_i^2``, ``√(x)``."""
    name = str(node.tag)
    if depth > _DEEPEST or name in _LEAVES:
        return " ".join(str(node.text).split()).translate(_INVISIBLE)
    if name in _SILENT:
        return ""
    parts = [_in_a_line(child, depth + 1) for child in node.children[:]]
    if name in _ARRANGED and len(parts) == _ARRANGED[name].count("{"):
        return _ARRANGED[name].format(*map(grouped, parts))
    if name == "mroot" and len(parts) == 2:
        return f"√[{parts[1]}]({parts[0]})"
    if name == "semantics":
        return parts[0] if parts else ""
    before, between, after = _AROUND.get(name, ("", "", ""))
    return before + between.join(parts) + after


_LEAVES = frozenset(("mi", "mn", "mo", "mtext", "ms"))
_SILENT = frozenset(("annotation", "annotation-xml", "none", "mprescripts"))
_ARRANGED = {
    "mfrac": "{}/{}", "msup": "{}^{}", "mover": "{}^{}", "msub": "{}_{}", "munder": "{}_{}",
    "msubsup": "{}_{}^{}", "munderover": "{}_{}^{}",
}  # fmt: skip
_AROUND = {
    "msqrt": ("√(", "", ")"), "mfenced": ("(", ",", ")"), "mtable": ("", "; ", ""), "mtr": ("", ", ", ""),
    "mspace": (" ", "", ""),
}  # fmt: skip
