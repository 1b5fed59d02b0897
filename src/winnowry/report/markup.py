"""Numbers and tables as pages show them; every text that goes in is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def number(value: float | None) -> str:
    """A number for people; a dash where there is none.

    >>> number(21851), number(1_210_122), number(0.1234567), number(None)
    ('21,851', '1.21 million', '0.123', '–')
    """
    if value is None:
        return "–"
    for limit, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= limit:
            return f"{value / limit:.2f} {name}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(part: float | None, whole: float | None) -> str:
    """A share; a dash of nothing.

    >>> percent(1, 4), percent(1, 3000), percent(0, 4), percent(1, 0)
    ('25.0 %', '0.033 %', '0 %', '–')
    """
    if part is None or not whole:
        return "–"
    share = 100 * part / whole
    return "0 %" if share == 0 else f"{share:.1f} %" if share >= 0.1 else f"{share:.2g} %"


def n_bytes(value: int | None) -> str:
    """Bytes for people.

    >>> n_bytes(999), n_bytes(4_136_587), n_bytes(None)
    ('999 B', '4.1 MB', '–')
    """
    if value is None:
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} PB"


def day(moment: str | None, *, with_time: bool = False) -> str:
    r"""Date (and minute) of an ISO 8601 moment; nothing without one.

    >>> day("2026-11-23T09:07:55+00:00"), day("2026-11-23T09:07:55+00:00", with_time=True), day(None)
    ('2026-11-23', '2026-11-23\xa009:07', '')
    """
    return "" if not moment else moment[:16].replace("T", "\u00a0") if with_time else moment[:10]


def counted(n: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "record"), counted(3000, "record")
    ('1 record', '3,000 records')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    raw: int = -1,
    tight: Sequence[int] = (),
) -> str:
    """A table; scrolls sideways where it is too wide.

    Args:
        head: headings.
        rows: cells as text.
        left: columns of text rather than numbers.
        raw: a column whose cells are HTML already.
        tight: columns of text that never wrap.
    """

    def cell(tag: str, place: int, text: str) -> str:
        kind = (
            ' class="l tight"'
            if place in tight
            else ' class="l"'
            if place in left
            else ' class="share"'
            if place == raw and tag == "td"
            else ""
        )
        return f"<{tag}{kind}>{text if place == raw and tag == 'td' else escape(text)}</{tag}>"

    heading = "".join(cell("th", place, text) for place, text in enumerate(head))
    body = "".join(
        "<tr>" + "".join(cell("td", place, text) for place, text in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def note(text: str) -> str:
    """A remark in the quiet colour."""
    return f'<p class="dim">{escape(text)}</p>'
