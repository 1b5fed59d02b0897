"""``text.normalize_unicode``: repair what encodings and control characters did to a text."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT, as_text, from_utf8, utf8_buffers
from winnowry.operators.text.nfc import to_nfc

_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_TERMINAL_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DELETED = {
    **{point: None for point in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF] if point not in (0x09, 0x0A, 0x1F)},
    0x1F: " ",
}


@cache
def _mojibake_only() -> Any:
    """Configuration of ftfy: repair wrong decoding; keep quotes, ligatures, full-width forms and HTML entities."""
    import ftfy

    return ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )


@cache
def _suspects() -> re.Pattern[str]:
    """Finds every place where ftfy could see mojibake, many times faster than ftfy's own expression.

    Each alternative of that expression needs a C1 control, one of Œ œ Â Ã, or two neighbouring characters of its
    classes of which at least one is not a Greek or Cyrillic letter (or one of two pairs of Cyrillic letters).
    """
    from ftfy.badness import BADNESS_RE

    pattern = BADNESS_RE.pattern
    classes = {ord(character) for character in pattern if not character.isascii()} | {0xA0, 0xAD}
    for first, last in re.findall("([^\x00-\x7f])-([^\x00-\x7f])", pattern):
        classes.update(range(ord(first), ord(last) + 1))
    alone = {*range(0x80, 0xA0), *map(ord, "ŒœÂÃ")}
    odd = {point for point in classes if not 0x386 <= point < 0x490} | alone
    members, odds, alones, starts = (
        re.escape("".join(map(chr, sorted(points)))) for points in (classes, odd, alone, odd | set(map(ord, "Ђў")))
    )
    # one character class comes first, so that the search runs at the speed of a scan
    return re.compile(
        f"[{starts}](?:(?<=[{alones}])|(?<=[{odds}])(?=[{members}])|(?<=[{members}][{odds}])|(?<=вЂ)|(?<=Гў))"
    )


def repair_encoding(text: str) -> str:
    """Undo UTF-8 that was decoded as a one-byte encoding, with ftfy, in the lines that look like it.

    >>> repair_encoding("caf\u00c3\u00a9")
    'café'
    """
    import ftfy

    parts = []
    done = 0
    while suspect := _suspects().search(text, done):
        start = text.rfind("\n", done, suspect.start()) + 1 or done
        end = text.find("\n", suspect.start()) + 1 or len(text)
        parts += [text[done:start], ftfy.fix_text(text[start:end], _mojibake_only())]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


class NormalizeUnicode(Operator):
    """Repair mojibake, compose characters, and give lines one form.

    In this order, and only where a text needs it: wrongly decoded characters are repaired with ftfy, line by line;
    terminal escapes are removed; every line break (CR LF, CR, VT, FF, FS, GS, RS, NEL, U+2028, U+2029) becomes a
    newline; other control characters and byte order marks are removed, except newline and tab (U+001F becomes a
    space); the text is composed to NFC (runs of more than 30 combining characters get a U+034F, see UAX #15);
    white space at the ends of lines and of the text is removed, newlines stay.

    With ``fix_encoding`` a NEL (U+0085) is a byte of Windows-1252 that was decoded wrongly, as ftfy takes it, and
    becomes an ellipsis; it is a line break only without. Texts whose lines end in NEL need ``fix_encoding: false``.

    Curly quotes, ligatures, full-width forms and HTML entities stay as they are: they are part of the text.

    Writes ``text`` (or the column named by ``as``); null stays null.

    Source: Speer 2019, ftfy, doi:10.5281/zenodo.2591652; Unicode Standard Annex #15.
    """

    op: Literal["text.normalize_unicode"] = "text.normalize_unicode"
    fix_encoding: bool = Field(default=True, description="Whether to repair wrongly decoded characters with ftfy.")

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``text``, replaced."""
        return pa.schema([pa.field(self.as_ or "text", TEXT)])

    def _normalise(self, text: str, flags: int) -> str:
        from winnowry.operators.text.kernels.suspects import CONTROL, NON_ASCII, TRAILING_SPACE

        before = text
        if self.fix_encoding and flags & NON_ASCII:
            text = repair_encoding(text)
        if flags & CONTROL or text is not before:
            text = _TERMINAL_ESCAPE.sub("", text)
            text = _NEWLINES.sub("\n", text).translate(_DELETED)
        if flags & NON_ASCII:
            text = to_nfc(text)
        if flags & TRAILING_SPACE or text is not before:
            text = "\n".join(map(str.rstrip, text.split("\n")))
        return text

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Normalise n texts."""
        from winnowry.operators.text.kernels.characters import character_classes
        from winnowry.operators.text.kernels.suspects import TRAILING_SPACE, find_suspects, strip_line_ends

        text = as_text(batch.column("text"))
        buffers = utf8_buffers(text)
        flags = find_suspects(buffers.offsets, buffers.data, character_classes())
        flags[~buffers.valid] = 0
        if (flags == TRAILING_SPACE).any():
            text = from_utf8(*strip_line_ends(buffers.offsets, buffers.data, flags), buffers.valid)
        others = np.flatnonzero(flags & ~np.uint8(TRAILING_SPACE))
        if others.size:
            mended = [
                self._normalise(value, flag)
                for value, flag in zip(text.take(others).to_pylist(), flags[others].tolist(), strict=True)
            ]
            mask = np.zeros(len(text), dtype=np.bool_)
            mask[others] = True
            text = pc.replace_with_mask(text, pa.array(mask), pa.array(mended, TEXT))
        return pa.record_batch([text], schema=self.writes())
