from __future__ import annotations

import unicodedata

import ftfy
import pyarrow as pa
import pytest
from ftfy.badness import BADNESS_RE
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.operators.text.nfc import to_nfc
from winnowry.operators.text.normalize_unicode import NormalizeUnicode, _mojibake_only, repair_encoding

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
        ("a\r\nb\rc\x85d\u2028e\u2029f\x0bg\x0ch", "a\nb\nc\u2026d\ne\nf\ng\nh"),  # C1 0x85 is cp1252's ellipsis
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


def test_without_fix_encoding_mojibake_stays() -> None:
    assert normalise("cafÃ©", fix_encoding=False) == ["cafÃ©"]


@given(st.lists(MOJIBAKE, max_size=6).map("".join))
@settings(max_examples=300)
@example("voilÃ le travail")
@example("line\nÃ la carte")
def test_the_gate_before_ftfy_never_changes_what_ftfy_would_do(text: str) -> None:
    assert repair_encoding(text) == ftfy.fix_text(text, _mojibake_only())


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
