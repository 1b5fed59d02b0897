"""From one element of markup to fields: paths, whole texts, entities decoded."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from html.entities import html5

_TAG = re.compile(r"""<(/?)([^\W\d][\w.:-]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>""")
_ATTRIBUTE = re.compile(r"""([^\W\d][\w.:-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'/>]+))""")
_REFERENCE = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|([A-Za-z][A-Za-z0-9]{0,31}));")
_SECTIONS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">"))
_EMPTY = frozenset(
    ("AREA", "BASE", "BR", "COL", "EMBED", "HR", "IMG", "INPUT", "LINK", "META", "PARAM", "SOURCE", "TRACK", "WBR")
)
_DEEPEST = 256
_MOST_COPIED = 8


class BadMarkupError(Exception):
    """The element cannot be read; the message says why and where."""


def decode_entities(text: str) -> str:
    """Replace character references once; unknown names stay, control characters other than tab and newline go.

    >>> decode_entities("AT&amp;T &lt;T.N&gt; &#8364;5&#3; &amp;lt; &nonsense;")
    'AT&T <T.N> €5 &lt; &nonsense;'
    """
    return _REFERENCE.sub(_referenced, text) if "&" in text else text


def _referenced(reference: re.Match[str]) -> str:
    if reference[1] is None:
        return html.unescape(reference[0])
    return html5.get(reference[1] + ";", reference[0])


@dataclass
class _Open:
    name: str
    path: str
    first_text: int
    has_elements: bool = False
    has_text: bool = False


def fields_of(markup: str, strict: bool, text_path: str) -> dict[str, object]:
    """Fields of a record element.

    Args:
        markup: from its start tag to its end tag.
        strict: XML: tags match, names keep their case. Else SGML: see :class:`~winnowry.sources.markup.Sgml`.
        text_path: path of the text; it is read whole also where the element only holds elements, and the texts of
            several elements of that path are joined by newlines.

    Raises:
        BadMarkupError: a tag does not match (XML), or elements nest deeper than 256, or so that the texts of nested
            elements would take more than 8 times the record.
    """
    return _Reader(markup, strict, text_path).read()


class _Reader:
    def __init__(self, markup: str, strict: bool, text_path: str) -> None:
        self._markup = markup
        self._strict = strict
        self._text_path = text_path
        self._open: list[_Open] = []
        self._texts: list[str] = []
        self._data: dict[str, object] = {}
        self._text_parts: list[str] = []
        self._n_copied = 0
        self._never_closed: set[str] = set()

    def read(self) -> dict[str, object]:
        markup = self._markup
        at = 0
        while (less_than := markup.find("<", at)) >= 0:
            self._text(decode_entities(markup[at:less_than]))
            at = self._section(less_than) or self._tag(less_than)
        if self._strict and self._open:
            raise BadMarkupError(f"<{self._open[-1].name}> is not closed")
        while self._open:
            self._close()
        if self._text_parts:
            self._data[self._text_path] = "\n".join(self._text_parts)
        return self._data

    def _text(self, text: str) -> None:
        if text and self._open:
            self._texts.append(text)
            self._open[-1].has_text = self._open[-1].has_text or not text.isspace()

    def _section(self, at: int) -> int | None:
        """The end of a comment, CDATA section, instruction or declaration; None where there is none, or no end."""
        if self._markup[at + 1 : at + 2] not in ("!", "?"):
            return None
        for opener, closer in _SECTIONS:
            if self._markup.startswith(opener, at) and closer not in self._never_closed:
                end = self._markup.find(closer, at + len(opener))
                if end < 0:
                    self._never_closed.add(closer)
                    continue
                if opener == "<![CDATA[":
                    self._text(self._markup[at + len(opener) : end])
                return end + len(closer)
        return None

    def _tag(self, at: int) -> int:
        tag = _TAG.match(self._markup, at)
        if tag is None:
            if self._strict:
                raise BadMarkupError(f"'<' begins no tag at character {at}")
            self._text("<")
            return at + 1
        closing, written, rest = tag.groups()
        name = written if self._strict else written.upper()
        if closing:
            self._end(name, at)
            return tag.end()
        self._start(name, rest)
        if rest.endswith("/") or (not self._strict and name in _EMPTY):
            self._close()
        return tag.end()

    def _start(self, name: str, rest: str) -> None:
        if self._open:
            parent = self._open[-1]
            parent.has_elements = True
            path = f"{parent.path}/{name}" if parent.path else name
        else:
            path = ""
        self._open.append(_Open(name, path, len(self._texts)))
        if len(self._open) > _DEEPEST:
            raise BadMarkupError(f"elements nest deeper than {_DEEPEST}")
        for written, *values in _ATTRIBUTE.findall(rest):
            attribute = written if self._strict else written.upper()
            self._put(f"{path}/@{attribute}" if path else f"@{attribute}", decode_entities("".join(values)))

    def _end(self, name: str, at: int) -> None:
        if self._strict and (not self._open or self._open[-1].name != name):
            expected = f"</{self._open[-1].name}>" if self._open else "no end tag"
            raise BadMarkupError(f"</{name}> at character {at}, where {expected} is due")
        if any(element.name == name for element in self._open):
            while self._open[-1].name != name:
                self._close()
            self._close()

    def _close(self) -> None:
        element = self._open.pop()
        is_text = element.path == self._text_path
        if not (is_text or (element.path and (element.has_text or not element.has_elements))):
            return
        text = "".join(self._texts[element.first_text :])
        self._n_copied += len(text)
        if self._n_copied > _MOST_COPIED * len(self._markup):
            raise BadMarkupError(f"nested texts take more than {_MOST_COPIED} times the record")
        if is_text:
            self._text_parts.append(text)
        else:
            self._put(element.path, text)

    def _put(self, name: str, value: str) -> None:
        before = self._data.get(name)
        if before is None:
            self._data[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            self._data[name] = [before, value]
