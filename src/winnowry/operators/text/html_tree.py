"""The tree of a page as it is walked and changed here; resiliparse's own types say ``None`` where none can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Element(Protocol):
    """A node of a page; all but an element answers the questions about elements with nothing."""

    tag: str
    text: str

    @property
    def parent(self) -> Element | None:
        """The node around it; None for one that was taken out."""

    @property
    def prev(self) -> Element | None:
        """The node before it."""

    @property
    def next(self) -> Element | None:
        """The node after it."""

    @property
    def prev_element(self) -> Element | None:
        """The element before it."""

    @property
    def first_child(self) -> Element | None:
        """The first node in it."""

    @property
    def child_nodes(self) -> Sequence[Element]:
        """The nodes in it; asked for anew with every index, so take a slice of all of them."""

    @property
    def children(self) -> Sequence[Element]:
        """The elements in it; take a slice of all of them."""

    def getattr(self, name: str, default: str | None = None) -> str | None:
        """The value of an attribute."""

    def setattr(self, name: str, value: str) -> None:
        """Set an attribute."""

    def remove_attribute(self, name: str) -> None:
        """Take an attribute away."""

    def query_selector(self, selectors: str) -> Element | None:
        """The first element in it that a CSS selector means."""

    def query_selector_all(self, selectors: str) -> Sequence[Element]:
        """All of them; take a slice."""

    def closest(self, selectors: str) -> Element | None:
        """The nearest element around it, or itself, that a CSS selector means."""

    def append_child(self, node: Element) -> Element:
        """Put a node at the end of it."""

    def insert_before(self, node: Element, reference: Element) -> Element:
        """Put a node before one in it."""

    def replace_child(self, node: Element, old: Element) -> Element:
        """Put a node in the place of one in it."""

    def remove_child(self, node: Element) -> Element:
        """Take a node out of it."""

    def prepend(self, node: Element) -> None:
        """Put a node at the beginning of it."""

    def append(self, node: Element) -> None:
        """Put a node at the end of it."""

    def decompose(self) -> None:
        """Take it out of the page."""


class Page(Protocol):
    """A page with a body."""

    @property
    def body(self) -> Element:
        """Its body."""

    @property
    def document(self) -> Element:
        """All of it."""

    def create_element(self, tag: str) -> Element:
        """A new element, nowhere yet."""

    def create_text_node(self, text: str) -> Element:
        """A new text, nowhere yet."""
