"""JSON that identifies values: what is stored was hashed this way and must be found again."""

from __future__ import annotations

from datetime import date

import pytest

from winnowry.core.jsonable import canonical_json, digest, jsonable

# Written down before the functions moved here; a change makes every promotion stale.
KNOWN = [
    (None, "null", "74234e98afe7498fb5daf1f36ac2d78a"),
    (True, "true", "b5bea41b6c623f7c09f1bf24dcae58eb"),
    (0, "0", "5feceb66ffc86f38d952786c6d696c79"),
    (-1.5, "-1.5", "37c2b212b94e5372b33df924ea2a9118"),
    (1e-7, "1e-07", "e485fac25775a7da830698e7daac5827"),
    (float("nan"), "NaN", "d5b592c05dc25b5032553f1b27f4139b"),
    ("", '""', "12ae32cb1ec02d01eda3581b127c1fee"),
    ('ü😀\n"', '"ü😀\\n\\""', "326887008235eb23ddc5bbb605c6bbf9"),
    ([], "[]", "4f53cda18c2baa0c0354bb5f9a3ecbe5"),
    ({}, "{}", "44136fa355b3678a1146ad16f7e8649e"),
    ({"b": 1, "a": [1, 2.0, None]}, '{"a":[1,2.0,null],"b":1}', "df04fa4dacb086835e8ac36ccc7461a2"),
    ({"Ü": {"z": "é"}}, '{"Ü":{"z":"é"}}', "df2f11e204b88f005ec7414727690220"),
    ([["x", 1], ["y", 2]], '[["x",1],["y",2]]', "cd675739e531ae7ae47e54074a898760"),
    ({"n": 10**20}, '{"n":100000000000000000000}', "58d2d5b8dd4228ab5775ce84f996718f"),
]


@pytest.mark.parametrize(("value", "text", "identity"), KNOWN, ids=[text for _, text, _ in KNOWN])
def test_a_value_keeps_its_canonical_text_and_its_digest(value: object, text: str, identity: str) -> None:
    assert canonical_json(value) == text
    assert digest(value) == identity


def test_what_json_cannot_hold_counts_as_its_text_in_a_digest() -> None:
    assert digest({"d": date(2024, 1, 2)}) == digest({"d": "2024-01-02"}) == "4e79c968b336ed2a6ff6d7a05f135cc4"


def test_the_order_of_keys_does_not_count() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})


def test_numpy_scalars_become_what_they_hold() -> None:
    import numpy as np

    reduced = jsonable([np.int64(5), np.float32(0.5), np.float64("nan"), np.bool_(True), np.array(3)])
    assert reduced == [5, 0.5, None, True, 3]
    assert [type(value) for value in reduced] == [int, float, type(None), bool, int]


def test_lists_are_cut_and_what_is_not_finite_is_written_out_where_asked() -> None:
    value = {"a": range(100), "b": [float("-inf"), {3, 1, 2}]}
    assert jsonable(value, longest_list=2, not_finite="text") == {"a": [0, 1], "b": ["-inf", [1, 2]]}
