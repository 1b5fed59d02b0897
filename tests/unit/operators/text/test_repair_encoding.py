from __future__ import annotations

import pyarrow as pa
import pytest

from winnowry.operators.text.repair_encoding import RepairEncoding


@pytest.mark.parametrize(
    ("text", "repaired", "n_lines", "lost"),
    [
        ("cafÃ© and â€œquotesâ€\x9d", "café and “quotes”", 1, 0.0),
        ("good\ncafÃ©\ngood\nnaÃ¯ve", "good\ncafé\ngood\nnaïve", 2, 0.0),
        ("ä¸\xadå›½", "中国", 1, 0.0),
        ("café “quotes” 中国 ﬁne\r\n", "café “quotes” 中国 ﬁne\r\n", 0, 0.0),
        ("a\ufffdb\ufffd", "a\ufffdb\ufffd", 0, 0.5),
        ("plain", "plain", 0, 0.0),
        ("", "", 0, 0.0),
        (None, None, None, None),
    ],
)
def test_wrong_decoding_is_undone_and_what_is_lost_is_measured(
    text: str | None, repaired: str | None, n_lines: int | None, lost: float | None
) -> None:
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    assert RepairEncoding().apply(batch).to_pylist() == [
        {"text": repaired, "n_repaired_lines": n_lines, "replacement_ratio": lost}
    ]


def test_too_many_lost_characters_are_a_rule_where_it_is_set() -> None:
    (rule,) = RepairEncoding(max_replacement_ratio=0.01).rules()
    assert (rule.column, rule.comparison, rule.threshold) == ("replacement_ratio", "<=", 0.01)
    assert RepairEncoding().rules() == ()
