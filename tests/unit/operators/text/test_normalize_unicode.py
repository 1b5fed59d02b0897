from __future__ import annotations

import unicodedata

import ftfy
import pyarrow as pa
import pytest
from ftfy.badness import BADNESS_RE
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.operators.text.nfc import to_nfc
from winnowry.operators.text.normalize_unicode import NormalizeUnicode, _mojibake_only, _repaired, repair_encoding

ODD = sorted({character for character in BADNESS_RE.pattern if ord(character) > 127} | {"\xa0", "\x85", "\x9d"})
MOJIBAKE = st.one_of(
    st.text(max_size=8).map(lambda text: text.encode("utf-8").decode("latin-1")),
    st.text(st.characters(max_codepoint=0x500), max_size=8).map(lambda t: t.encode("utf-8").decode("cp1252", "ignore")),
    st.text(st.sampled_from([*ODD, "a", " ", "\n", "Г"]), max_size=6),
    st.just("\n"),
)


def normalise(*texts: str | None, fix_encoding: bool = True) -> list[str | None]:
    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    values: list[str | None] = NormalizeUnicode(fix_encoding=fix_encoding).apply(batch)["text"].to_pylist()
    return values


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("plain text\nstays", "plain text\nstays"),
        ("a\x00b\x08c\x7fd\te", "abcd\te"),
        ("a\x1fb", "a b"),
        ("\ufefftext", "text"),
        ("red \x1b[31;1malert\x1b[0m.", "red alert."),
        ("end  \nof line\t\n\n x \u3000", "end\nof line\n\n x"),
        ("caf\u0065\u0301", "caf\u00e9"),
        ("cafÃ© â€œquotedâ€\x9d", "café “quoted”"),
        ("“curly” ﬁt ＡＢＣ，&amp;", "“curly” ﬁt ＡＢＣ，&amp;"),
        ("", ""),
        (None, None),
    ],
)
def test_each_kind_of_damage_is_repaired_and_nothing_else(before: str | None, after: str | None) -> None:
    assert normalise(before) == [after]


@pytest.mark.parametrize("fix_encoding", [True, False])
@pytest.mark.parametrize(
    "line_break", ["\n", "\r", "\r\n", "\r\x85", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
def test_every_line_break_becomes_a_newline(line_break: str, fix_encoding: bool) -> None:
    text = f"line one{line_break}Größe – “two”{line_break}three"
    assert normalise(text, fix_encoding=fix_encoding) == ["line one\nGröße – “two”\nthree"]


@pytest.mark.parametrize(
    ("before", "repaired", "otherwise"),
    [
        ("one\x85two", "one\ntwo", "one\ntwo"),
        ("naïve café\x85\x85End", "naïve café\n\nEnd", "naïve café\n\nEnd"),
        ("It\x92s late\x85 he said", "It’s late… he said", "Its late\n he said"),  # Windows-1252 read as Latin-1
        ("\x93Well\x85\x94", "“Well…”", "Well\n"),
        ("Ã\x85rhus", "Århus", "Ã\nrhus"),  # UTF-8 read as Latin-1
        ("cafÃ© one\x85two", "café one\ntwo", "cafÃ© one\ntwo"),
    ],
)
def test_next_line_is_an_ellipsis_only_where_the_text_was_decoded_wrongly(
    before: str, repaired: str, otherwise: str
) -> None:
    assert normalise(before) == [repaired]
    assert normalise(before, fix_encoding=False) == [otherwise]


def test_without_fix_encoding_mojibake_stays() -> None:
    assert normalise("cafÃ©", fix_encoding=False) == ["cafÃ©"]


@given(st.lists(MOJIBAKE, max_size=6).map("".join))
@settings(max_examples=300)
@example("voilÃ le travail")
@example("line\nÃ la carte")
def test_the_gate_before_ftfy_never_changes_what_ftfy_would_do(text: str) -> None:
    expected = ftfy.fix_text(text, _mojibake_only())
    assert _repaired(text) == expected
    if "\x85" not in text:
        assert repair_encoding(text) == expected


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_normalised_text_has_one_form(text: str) -> None:
    (once,) = normalise(text, fix_encoding=False)
    assert once is not None
    assert normalise(once, fix_encoding=False) == [once]
    assert unicodedata.is_normalized("NFC", once)
    assert all(unicodedata.category(character) != "Cc" or character in "\n\t" for character in once)
    assert all(line == line.rstrip() for line in once.split("\n"))


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_nfc_of_ordinary_text_is_pythons(text: str) -> None:
    assert to_nfc(text) == unicodedata.normalize("NFC", text)


def test_only_runs_of_more_than_thirty_combining_characters_are_broken() -> None:
    assert to_nfc("x" + "\u0316" * 30 + "A\u030a").count("\u034f") == 0
    assert to_nfc("x" + "\u0301\u0316" * 31).count("\u034f") == 2  # 62 out of order: 30 + 30 + 2
    in_order = "x" + "\u0316" * 61
    assert to_nfc(in_order) == in_order
