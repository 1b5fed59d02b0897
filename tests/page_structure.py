"""What a browser would make of a page: its elements, their attributes, and the text between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_WITHOUT_END = {"meta", "link"}


@dataclass(frozen=True)
class Event:
    """An element that begins or ends, or a run of text."""

    kind: str
    name: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass
class Structure:
    """A page as events in order, and what a reader sees of it."""

    events: list[Event] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        return [event.name for event in self.events if event.kind == "start"]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events)

    def loaded(self) -> list[str]:
        """What a browser would fetch or follow, but places on the page itself and data in the page."""
        links = [
            value for event in self.events for name, value in event.attributes if name in ("src", "href", "srcset")
        ]
        return [link for link in links if not link.startswith(("#", "data:,"))]

    def handlers(self) -> list[str]:
        """Attributes that run a script."""
        return [name for event in self.events for name, _ in event.attributes if name.startswith("on")]


def structure(page: str) -> Structure:
    """Read a page strictly: an end tag closes the element that was opened last."""
    parser = _Reader()
    parser.feed(page)
    parser.close()
    return parser.read


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.read = Structure()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read.events.append(Event("start", tag, tuple((name, value or "") for name, value in attrs)))
        if tag not in _WITHOUT_END:
            self.read.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.read.unclosed.pop() == tag
        self.read.events.append(Event("end", tag))

    def handle_data(self, data: str) -> None:
        self.read.events.append(Event("text", text=data))
