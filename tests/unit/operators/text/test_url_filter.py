from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.core.errors import ContractError
from winnowry.operators.text.url_filter import UrlFilter
from winnowry.operators.text.url_lists import candidate_keys, entry_key, hashed, host_and_path, index_of


def apply(operator: UrlFilter, *urls: str | None) -> list[dict[str, Any]]:
    metas = [None if url is None else json.dumps({"url": url}) for url in urls]
    rows: list[dict[str, Any]] = operator.apply(
        pa.record_batch([pa.array(metas, pa.large_string())], names=["meta"])
    ).to_pylist()
    return rows


def categories(operator: UrlFilter, *urls: str | None) -> list[str | None]:
    return [row["url_category"] for row in apply(operator, *urls)]


@pytest.fixture
def ut1(tmp_path: Path) -> Path:
    """Two categories in the form of the UT1 lists: folders with `domains` and `urls`."""
    adult, press = tmp_path / "adult", tmp_path / "press"
    adult.mkdir()
    press.mkdir()
    (adult / "domains").write_text("# comment\nbad.example\n10.0.0.1\nxn--bcher-kva.example\n\nshared.example\n")
    (adult / "urls").write_text("mixed.example/adult\nwww.mixed.example/~user/pics/\n")
    (press / "domains").write_text("news.example\nshared.example\n")
    return tmp_path


def both(folder: Path, **parameters: Any) -> UrlFilter:
    lists = [{"category": name, "path": str(folder / name)} for name in ("adult", "press")]
    return UrlFilter.model_validate({"lists": lists, **parameters})


@pytest.mark.parametrize(
    ("url", "category"),
    [
        ("http://bad.example/", "adult"),
        ("https://www.bad.example:8080/x?y#z", "adult"),
        ("HTTP://USER@deep.sub.BAD.example./x", "adult"),
        ("//bad.example", "adult"),
        ("http://notbad.example/", "none"),
        ("http://bad.example.org/", "none"),
        ("http://example/", "none"),
        ("http://10.0.0.1/x", "adult"),
        ("http://210.0.0.1/", "none"),
        ("http://bücher.example/", "adult"),
        ("http://mixed.example/adult", "adult"),
        ("http://www.mixed.example/Adult/page.html", "adult"),
        ("http://mixed.example/adults", "none"),
        ("http://mixed.example/other/adult", "none"),
        ("http://mixed.example/~user/pics/1", "adult"),
        ("http://mixed.example/?u=http://bad.example", "none"),
        ("http://good.example/bad.example", "none"),
        ("http://news.example/a", "press"),
        ("http://shared.example/", "adult"),
        ("mailto:me@bad.example", None),
        ("bad.example", None),
        ("http:///x", None),
        ("http://[::1]/x", "none"),
        ("", None),
        (None, None),
    ],
)
def test_a_url_is_in_the_first_category_that_lists_it_or_what_is_above_it(
    ut1: Path, url: str | None, category: str | None
) -> None:
    assert categories(both(ut1), url) == [category]


def test_own_entries_come_first_and_allowed_ones_win(ut1: Path) -> None:
    operator = both(ut1, blocked=["http://www.spam.example/", "news.example"], allowed=["ok.bad.example"])
    urls = ("http://spam.example/x", "http://news.example/", "http://ok.bad.example/", "http://bad.example/")
    assert categories(operator, *urls) == ["blocked", "blocked", "none", "adult"]


def test_what_is_listed_is_rejected_unless_its_category_is_kept(ut1: Path) -> None:
    urls = ("http://bad.example", "http://news.example", "http://good.example", None)
    for keep, missing, expected in (
        (["none"], "keep", [False, False, True, True]),
        (["none", "press"], "keep", [False, True, True, True]),
        (["none"], "reject", [False, False, True, False]),
    ):
        operator = both(ut1, keep=keep, missing=missing)
        (rule,) = operator.rules()
        column = pa.array(categories(operator, *urls), pa.string())
        assert rule.keeps(column).to_pylist() == expected


def test_records_that_hold_no_url_have_no_host(ut1: Path) -> None:
    metas = ['{"url": 7}', "[1]", "no json", "{}", '{"address": "http://bad.example"}', None]
    batch = pa.record_batch([pa.array(metas, pa.large_string())], names=["meta"])
    assert both(ut1).apply(batch)["url_host"].null_count == 6
    assert both(ut1, field="address").apply(batch)["url_category"].to_pylist()[4] == "adult"


def test_a_list_may_be_a_file_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "list.gz"
    path.write_bytes(gzip.compress(b"*.bad.example\r\nhttp://other.example/x\r\n"))
    operator = UrlFilter.model_validate({"lists": [{"category": "bad", "path": str(path)}]})
    assert categories(operator, "http://a.bad.example", "http://other.example/x/y", "http://other.example/z") == [
        "bad", "bad", "none",
    ]  # fmt: skip


def test_a_changed_list_changes_the_fingerprint_and_stops_a_run_that_expects_another(ut1: Path) -> None:
    operator = both(ut1)
    stored = pickle.loads(pickle.dumps(operator))
    (ut1 / "press" / "domains").write_text("another.example\n")
    assert both(ut1).fingerprint() != operator.fingerprint()
    with pytest.raises(ContractError, match="press"):
        categories(stored, "http://another.example/")
    (ut1 / "press" / "domains").unlink()
    with pytest.raises(ContractError, match="no file"):
        categories(stored, "http://x.example/")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lists": [{"category": "a", "path": "/no/such/file"}]}, "no file"),
        ({"lists": [{"category": "none", "path": "x"}]}, "categories of their own"),
        ({"blocked": [" "]}, "no domain"),
        ({"contents": {"x": "y"}}, "names no list"),
    ],
)
def test_mistakes_are_found_when_the_recipe_is_read(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UrlFilter.model_validate(parameters)


@given(
    listed=st.sets(st.sampled_from(["a.b", "b", "c.a.b", "a.b/x", "a.b/x/y", "c.a.b/z"])),
    labels=st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    segments=st.lists(st.sampled_from("xyz"), max_size=3),
)
def test_looking_up_keys_is_comparing_with_every_entry(
    listed: set[str], labels: list[str], segments: list[str]
) -> None:
    host, path = ".".join(labels), "/".join(segments)
    naive = any(
        (f"{host}/{path}/".startswith(entry + "/") if "/" in entry else f".{host}".endswith(f".{entry}"))
        for entry in listed
    )
    found = index_of([listed]).categories_of(hashed(candidate_keys(host, path)))
    assert bool((found >= 0).any()) == naive


@given(st.text(max_size=40))
def test_any_text_may_stand_where_a_url_should(text: str) -> None:
    entry_key(text)
    found = host_and_path(text)
    if found is not None:
        assert candidate_keys(*found)
