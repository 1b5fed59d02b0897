"""Blocks that resiliparse takes for boilerplate by their place in a page alone, put where it reads them."""

from __future__ import annotations

import html
import re

from winnowry.operators.text.html_tree import Element, Page

NOT_TEXT = ("area", "audio", "embed", "img", "object", "svg", "video")
"""Elements whose content stands in for something that is no text."""
HELD = "\ufdd0"
"""Added to a text of one character, which resiliparse would take for an icon, and taken out again: a noncharacter."""

_ONE_CHARACTER = re.compile(r">(\s*(?:[\u0800-\ud7ff\uf900-\ufffd]|&#?\w{2,31};)\s*)<")
_LEAST_HELD = 0x800
_BLOCKS = "ul, aside, table[role], tbody[role], tr[role], td[role]"
_MOST_LINKED = 1 / 3
_MOST_LINKED_THERE = 0.2
_DEEPEST_NAVIGATION = 4
_PLACED = ("class", "id", "role")


def hold_characters(page: str) -> str:
    """A page whose texts of one character will not be taken for icons; icons (private use characters) stay as they are.

    resiliparse 2.0 reads every character of three bytes that stands alone as one of the private use area.
    """
    return _ONE_CHARACTER.sub(_held, page)


def _held(text: re.Match[str]) -> str:
    character = html.unescape(text[1]).strip()
    if len(character) != 1 or ord(character) < _LEAST_HELD or "\ue000" <= character <= "\uf8ff":
        return text[0]
    return f">{text[1]}{HELD}<"


def keep_blocks(tree: Page) -> None:
    """Move lists, asides and layout tables that hold prose to where main content is looked for, in place.

    resiliparse drops every ``<ul>`` less than four elements below the body or with a fifth of its text in links, every
    ``<aside>``, and every table of ``role="presentation"``. A list stays here unless more than a third of its text are
    links (Kohlschütter et al. 2010, whose classifier cuts link density there), an aside the same where it is part of
    an article; what their classes and ids say of them counts as before.
    """
    for node in tree.body.query_selector_all(_BLOCKS)[:]:
        match node.tag:
            case "ul":
                linked = _link_share(node)
                if linked <= _MOST_LINKED:
                    if linked > _MOST_LINKED_THERE:
                        _forget_links(tree, node)
                    if _is_near_root(node):
                        _bury(tree, node)
            case "aside":
                if node.closest("article, main") is not None and _link_share(node) <= _MOST_LINKED:
                    _as_division(tree, node)
            case _:
                if node.getattr("role") in ("presentation", "none"):
                    node.remove_attribute("role")


def _link_share(node: Element) -> float:
    """Characters within links ÷ all characters; 1.0 for a node without any."""
    n_chars = _visible(node)
    linked = sum(map(_visible, node.query_selector_all("a")[:]))
    return linked / n_chars if n_chars else 1.0


def _visible(node: Element) -> int:
    return len("".join(str(node.text).split()))


def _is_near_root(node: Element) -> bool:
    parent = node.parent
    for _ in range(_DEEPEST_NAVIGATION):
        if parent is None or parent.tag == "body":
            return True
        parent = parent.parent
    return False


def _bury(tree: Page, node: Element) -> None:
    """Put a node below as many divisions as make it none of the page's frame."""
    outer = inner = tree.create_element("div")
    for _ in range(_DEEPEST_NAVIGATION - 1):
        inner = inner.append_child(tree.create_element("div"))
    if node.parent is not None:
        node.parent.replace_child(outer, node)
        inner.append_child(node)


def _forget_links(tree: Page, node: Element) -> None:
    """Make plain text of links that nothing else is known of."""
    for link in node.query_selector_all("a:not([class]):not([rel])")[:]:
        _with_content_of(link, tree.create_element("span"))


def _as_division(tree: Page, node: Element) -> None:
    block = tree.create_element("div")
    for name in _PLACED:
        value = node.getattr(name)
        if value:
            block.setattr(name, str(value))
    _with_content_of(node, block)


def _with_content_of(node: Element, other: Element) -> None:
    for child in node.child_nodes[:]:
        other.append_child(child)
    if node.parent is not None:
        node.parent.replace_child(other, node)
