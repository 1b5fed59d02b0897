from __future__ import annotations

import unicodedata
from typing import Any

import pyarrow as pa
import pytest
import regex

from winnowry.operators.text.kernels.scripts import CODES, EAST_ASIAN, scripts_by_character
from winnowry.operators.text.scripts import Scripts


def measure(text: str | None) -> dict[str, Any]:
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    row: dict[str, Any] = Scripts().apply(batch).to_pylist()[0]
    return row


@pytest.mark.parametrize(
    ("text", "script", "share", "n_scripts", "switches"),
    [
        ("Hello, world 42!", "Latn", 1.0, 1, 0.0),
        ("Привет мир", "Cyrl", 1.0, 1, 0.0),
        ("人人生而自由", "Hani", 1.0, 1, 0.0),
        ("すべての人間は自由", "Jpan", 1.0, 2, 0.0),
        ("人人生而自由平等尊严权利赋有理性良心应以兄弟关系精神对待の", "Hani", 28 / 29, 2, 0.0),  # one Kana of 29
        ("대한민국", "Hang", 1.0, 1, 0.0),
        ("ab人人", "Hani", 0.5, 2, 1 / 3),  # equal shares: Hani comes before Latn
        ("我用 Python 写", "Latn", 6 / 9, 2, 2 / 8),
        ("pаypаl", "Latn", 4 / 6, 2, 4 / 5),  # with two Cyrillic а
        ("нет no да", "Cyrl", 5 / 7, 2, 2 / 6),
        ("e\u0301t\u00e9", "Latn", 1.0, 1, 0.0),
        ("𐎀𐎁 ab c", "Latn", 3 / 5, 2, 1 / 4),  # Ugaritic is rare
        ("a", "Latn", 1.0, 1, 0.0),
        ("12 345 — !?", "Zyyy", 0.0, 0, 0.0),
        ("", "Zyyy", 0.0, 0, 0.0),
        (None, None, None, None, None),
    ],
)
def test_scripts_are_counted_by_letters(
    text: str | None, script: str | None, share: float | None, n_scripts: int | None, switches: float | None
) -> None:
    row = measure(text)
    assert (row["script"], row["n_scripts"]) == (script, n_scripts)
    assert row["script_ratio"] == (None if share is None else pytest.approx(share))
    assert row["script_switch_ratio"] == (None if switches is None else pytest.approx(switches))


def test_every_letter_has_the_script_that_the_unicode_database_gives_it() -> None:
    patterns = {code: regex.compile(rf"\p{{Script={code}}}") for code in CODES[2:]}
    shared = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]")
    table = scripts_by_character()
    wrong = []
    for point in range(0x40000):
        letter = chr(point)
        name = unicodedata.name(letter, "")
        if unicodedata.category(letter)[0] != "L" or "MODIFIER LETTER" in name or not name:
            continue  # modifier letters go with any script here
        code = CODES[table[point]]
        if code in patterns:
            right = patterns[code].match(letter) is not None
        else:
            listed = any(pattern.match(letter) for pattern in patterns.values())
            right = not listed and (code == "Zyyy") == (shared.match(letter) is not None)
        if not right:
            wrong.append(f"{point:X} {name}: {code}")
    assert wrong == []


def test_the_kernel_takes_east_asian_scripts_for_one() -> None:
    assert EAST_ASIAN == (28, 29, 30, 31)


def test_limits_are_rules_where_they_are_set() -> None:
    operator = Scripts(keep=("Latn",), min_script_ratio=0.9, max_script_switch_ratio=0.1)
    assert [(rule.name, rule.column, rule.comparison, rule.threshold) for rule in operator.rules()] == [
        ("keep", "script", "in", ("Latn",)),
        ("min_script_ratio", "script_ratio", ">=", 0.9),
        ("max_script_switch_ratio", "script_switch_ratio", "<=", 0.1),
    ]
    assert Scripts().rules() == ()
