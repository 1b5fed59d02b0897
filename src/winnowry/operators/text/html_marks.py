"""What a browser shows by an element's place on the line, written with characters before the text is taken out."""

from __future__ import annotations

import re

from winnowry.operators.text.html_blocks import HELD
from winnowry.operators.text.html_formulas import grouped
from winnowry.operators.text.html_tree import Element, Page

MARK_SIGNS = ("<sup", "<sub", "<q", "<rt", "<button", "<label", "<time")
"""What a page with something to write has in it, in lower case."""

_FOOTNOTE_CLASS = re.compile(r"\b(?:reference|foot-?notes?|noteref|fn-?ref)\b", re.IGNORECASE)
_BRACKETED = re.compile(r"\A[\[(].*[\])]\Z")
_ORDINALS = frozenset(
    ("st", "nd", "rd", "th", "er", "ers", "re", "res", "ère", "ères", "ème", "èmes", "eme", "ième", "ièmes", "nde")
)
_ABBREVIATIONS = frozenset(("me", "mes", "lle", "lles", "gr", "tm", "sm"))
_LETTERS_OF_LANGUAGE = {"fr": "eor", "es": "ao", "pt": "ao", "it": "ao", "gl": "ao", "ca": "ao"}
_ROMAN = re.compile(r"\b[IVXLCDM]+\Z")
_FEWEST_WORDS = 2
_TAIL = 12
_CLIMB = 4
_INLINE = frozenset(
    ("a", "abbr", "b", "big", "cite", "code", "em", "font", "i", "kbd", "mark", "s", "samp", "small", "span", "strong",
     "sub", "sup", "u", "var")
)  # fmt: skip


def write_marks(tree: Page) -> None:
    """Write signs for raised and lowered text, quotation marks and readings into a page, in place.

    ``10<sup>6</sup>`` becomes ``10^6``, ``x<sup>n+1</sup>`` ``x^(n+1)``, ``x<sub>i</sub>`` ``x_i``. Ordinals (``1st``),
    trade marks, chemical formulas (``H2O``) and what follows a space stay without a sign; footnote numbers get
    brackets. ``<q>`` becomes curly quotation marks, ``<rt>`` parentheses unless the page has them. The text of a button
    that is a heading, of a label that is a list item, and of a time within a sentence counts as text.
    """
    body = tree.body
    language = str((tree.document.query_selector("html[lang]") or body).getattr("lang", "") or "")[:2].lower()
    for node in reversed(body.query_selector_all("sup, sub")[:]):  # the inner ones first
        content = " ".join(str(node.text).split())
        before = _neighbour(node, forward=False)
        if not content or not before or before[-1].isspace():
            continue
        after = _neighbour(node, forward=True)[:1]
        written = (
            _raised(node, content, before, after, language) if node.tag == "sup" else _lowered(content, before, after)
        )
        if written != content:
            node.text = written
    for node in body.query_selector_all("q")[:]:
        inner = node.parent is not None and node.parent.closest("q") is not None
        node.prepend(tree.create_text_node(("‘" if inner else "“") + HELD))
        node.append(tree.create_text_node(("’" if inner else "”") + HELD))
    for node in body.query_selector_all("rt")[:]:
        if node.text and (node.prev_element is None or node.prev_element.tag != "rp"):
            node.text = f"({node.text})"
    shown = "h1 button, h2 button, h3 button, h4 button, h5 button, h6 button, summary button, dt button, li label"
    for node in body.query_selector_all(shown)[:]:
        _unwrap(node)
    for node in body.query_selector_all("time")[:]:
        if _neighbour(node, forward=True).strip():
            _unwrap(node)


def _unwrap(node: Element) -> None:
    parent = node.parent
    if parent is not None:
        for child in node.child_nodes[:]:
            parent.insert_before(child, node)
        parent.remove_child(node)


def _neighbour(node: Element, *, forward: bool) -> str:
    """The text on the same line that touches a node; empty at the end of a block."""
    for _ in range(_CLIMB):
        other = node.next if forward else node.prev
        while other is not None and not (other.text or other.tag == "br"):
            other = other.next if forward else other.prev
        if other is not None:
            if other.tag == "br" or (other.first_child is not None and other.tag not in _INLINE):
                return ""
            return str(other.text)[:_TAIL] if forward else str(other.text)[-_TAIL:]
        parent = node.parent
        if parent is None or parent.tag not in _INLINE:
            return ""
        node = parent
    return ""


def _raised(node: Element, content: str, before: str, after: str, language: str) -> str:
    if _is_footnote(node, content):
        return content if _BRACKETED.match(content) or not content[0].isalnum() else f"[{content}]"
    if not any(map(str.isalnum, content)):
        return content
    lower = content.lower()
    if lower in "oº" and before[-1].isdigit() and after in ("C", "F"):
        return "°"
    if lower in _ORDINALS or (lower in _ABBREVIATIONS and before[-1].isalpha()):
        return content
    if len(content) == 1 and (
        lower in _LETTERS_OF_LANGUAGE.get(language, "") or (lower == "e" and _ROMAN.search(before))
    ):
        return content
    if len(content.split()) >= _FEWEST_WORDS and content.replace(" ", "").isalpha():
        return f" {content}"
    return "^" + _apart(content, after)


def _lowered(content: str, before: str, after: str) -> str:
    if not any(map(str.isalnum, content)):
        return content
    counts = content.isdigit() and (before[-1].isalpha() or before[-1] in ")]") and not after.isdigit()
    if counts and not before.lower().endswith("log"):
        return content
    return "_" + _apart(content, after)


def _apart(content: str, after: str) -> str:
    short = grouped(content)
    return f"({content})" if short == content and after.isalnum() else short


def _is_footnote(node: Element, content: str) -> bool:
    link = node.query_selector("a[href]")
    if link is None:
        around = node.closest("a")
        link = around if around is not None and " ".join(str(around.text).split()) == content else None
    if link is not None and "#" in str(link.getattr("href", "") or ""):
        return True
    return bool(_FOOTNOTE_CLASS.search(str(node.getattr("class", "") or "")))
