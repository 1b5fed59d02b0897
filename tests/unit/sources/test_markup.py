from __future__ import annotations

import gzip
import io
import xml.etree.ElementTree as ElementTree
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.element_fields import BadMarkupError, decode_entities, fields_of
from winnowry.sources.elements import Element, split_elements
from winnowry.sources.markup import Sgml, Xml
from winnowry.sources.registry import reader_of

DATA = Path(__file__).parents[4] / "shared" / "data" / "finance_en" / "reuters21578.sgml.tar.zst"
STORY = """<!DOCTYPE lewis SYSTEM "lewis.dtd">
<REUTERS TOPICS="YES" NEWID="1">
<DATE>26-FEB-1987 15:01:01.79</DATE>
<TOPICS></TOPICS>
<PLACES><D>usa</D><D>uruguay</D></PLACES>
<TEXT TYPE="NORM">&#2;
<TITLE>BAHIA &lt;T.N&gt; AT&amp;T</TITLE>
<BODY>Rain &#38; sun.
 Reuter
&#3;</BODY></TEXT>
</REUTERS>
"""


def read(
    data: bytes | str,
    dialect: str = "sgml",
    element: str = "REUTERS",
    limits: ReadLimits | None = None,
    text_path: str = "text",
    encoding: str | None = None,
) -> list[Record | Unreadable]:
    options = (Sgml if dialect == "sgml" else Xml)(record_element=element, encoding=encoding)
    reader = reader_of(options, text_path)
    content = data.encode() if isinstance(data, str) else data
    return list(reader.read(io.BytesIO(content), "a", limits or ReadLimits()))


def brief(items: list[Record | Unreadable]) -> list[object]:
    return [item.data if isinstance(item, Record) else item.reason for item in items]


def test_a_story_becomes_fields_by_path_with_entities_decoded_once() -> None:
    (record,) = read(STORY)
    assert record == Record(
        0,
        {
            "@TOPICS": "YES",
            "@NEWID": "1",
            "DATE": "26-FEB-1987 15:01:01.79",
            "TOPICS": "",
            "PLACES/D": ["usa", "uruguay"],
            "TEXT/@TYPE": "NORM",
            "TEXT/TITLE": "BAHIA <T.N> AT&T",
            "TEXT/BODY": "Rain & sun.\n Reuter\n",
        },
    )


def test_the_mapped_text_is_the_whole_text_of_its_element() -> None:
    (record,) = read(STORY, text_path="TEXT")
    assert isinstance(record, Record)
    assert record.data["TEXT"] == "\nBAHIA <T.N> AT&T\nRain & sun.\n Reuter\n"


def test_several_elements_of_the_text_are_joined() -> None:
    (record,) = read("<r><p>one</p><x/><p>t<b>w</b>o</p></r>", "xml", "r", text_path="p")
    assert brief([record]) == [{"x": "", "p/b": "w", "p": "one\ntwo"}]


def test_sgml_names_have_no_case_and_end_tags_may_be_missing() -> None:
    assert brief(read("<doc id=7 lang='en'><Title>A<br>B<p>C</doc>", element="DOC")) == [
        {"@ID": "7", "@LANG": "en", "TITLE/BR": "", "TITLE": "ABC", "TITLE/P": "C"}
    ]


@pytest.mark.parametrize("bad", ["<r><a></b></r>", "<r><a></r>", "<r>1 < 2</r>", "<r a=<>x</r>"])
def test_xml_that_is_not_well_formed_is_unreadable(bad: str) -> None:
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(bad)
    assert brief(read(bad + "<r>next</r>", "xml", "r")) == ["bad_xml", {}]


def test_comments_and_cdata_hide_tags() -> None:
    text = "<r><!-- </r> --><a><![CDATA[x </r> <b> &amp;]]></a></r>\n<!-- <r>no</r> --><r a='1'/>"
    assert brief(read(text, "xml", "r")) == [{"a": "x </r> <b> &amp;"}, {"@a": "1"}]


def test_a_record_without_end_tag_ends_where_the_next_begins() -> None:
    items = read("<R><A>one</A>\n<R><A>two</A></R> <R><A>three")
    items += read("<REUTERS><A>one</A>\n<REUTERS><A>two</A></REUTERS> <REUTERS><A>three")
    assert brief(items) == ["unclosed_record", {"A": "two"}, "truncated_record"]
    assert [item.payload for item in items if isinstance(item, Unreadable)] == [
        b"<REUTERS><A>one</A>\n", b"<REUTERS><A>three",
    ]  # fmt: skip


def test_names_that_only_begin_alike_are_not_records() -> None:
    assert brief(read("<REUTERSX>a</REUTERSX><REUTERS-B/><REUTERS>b</REUTERS>", text_path="x")) == [{}]


@pytest.mark.parametrize(
    ("written", "decoded"),
    [
        ("&lt;&gt;&amp;&quot;&apos;&nbsp;&eacute;", "<>&\"'\xa0é"),
        ("&#233;&#xE9;&#x4e2d;&#128512;", "éé中😀"),
        ("&#1;&#31;&#0;", "\ufffd"),
        ("&amp;lt;", "&lt;"),
        ("R&D; AT&T &copy &unknown;", "R&D; AT&T &copy &unknown;"),
        ("&#xD800;&#99999999;", "\ufffd\ufffd"),
    ],
)
def test_entities(written: str, decoded: str) -> None:
    assert decode_entities(written) == decoded


NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)


def trees(children: st.SearchStrategy[ElementTree.Element]) -> st.SearchStrategy[ElementTree.Element]:
    def build(name: str, text: str, inside: list[ElementTree.Element], attribute: str) -> ElementTree.Element:
        element = ElementTree.Element(name, {"k": attribute} if attribute else {})
        element.text = text
        element.extend(inside)
        return element

    return st.builds(build, NAMES, TEXTS, st.lists(children, max_size=3), TEXTS)


LEAVES = st.builds(lambda name, text: ElementTree.fromstring(f"<{name}/>"), NAMES, TEXTS)


@given(tree=st.recursive(LEAVES, trees, max_leaves=12))
def test_texts_and_attributes_are_those_of_elementtree(tree: ElementTree.Element) -> None:
    tree.tag = "r"
    data = fields_of(ElementTree.tostring(tree, encoding="unicode"), True, "a/b")
    wanted = ["".join(element.itertext()) for element in tree.findall("./a/b")]
    assert data.pop("a/b", None) == ("\n".join(wanted) if wanted else None)
    expected: dict[str, list[str]] = {}

    def walk(element: ElementTree.Element, path: str) -> None:
        for child in element:
            below = f"{path}/{child.tag}".lstrip("/")
            for key, value in child.attrib.items():
                expected.setdefault(f"{below}/@{key}", []).append(value)
            if below != "a/b" and ((child.text or "").strip() or not len(child)):
                expected.setdefault(below, []).append("".join(child.itertext()))
            walk(child, below)

    walk(tree, "")
    expected.update({f"@{key}": [value] for key, value in tree.attrib.items()})
    found = {key: value if isinstance(value, list) else [value] for key, value in data.items()}
    assert {key: sorted(map(str, value)) for key, value in found.items()} == {
        key: sorted(value) for key, value in expected.items()
    }


@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_how_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    data = "<r>é</r><!-- <r> --><r a='>'>b</r x></r>\n<r/><r>c<![CDATA[</r>]]></r>".encode()
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    whole = list(split_elements([data], "r", False, ReadLimits()))
    assert list(split_elements(pieces, "r", False, ReadLimits())) == whole
    assert len([item for item in whole if isinstance(item, Element)]) == 4


@pytest.mark.parametrize(
    "bomb",
    [
        "<r>" + "<a>" * 100_000 + "</r>",
        "<r>" + "<!--" * 500_000 + "</r>",
        "<r>" + "<![CDATA[" * 200_000 + "</r>",
        "<r>" + '<a "' * 500_000 + "</r>",
        "<r>" + "<" * 2_000_000 + "</r>",
        "<r>" + "</a>" * 500_000 + "</r>",
        "<r>" + "&#1" * 500_000 + "</r>",
        "<r>" + "x<a>" * 200 + "y" * 1_000_000 + "</a>" * 200 + "</r>",
    ],
    ids=["nesting", "comments", "cdata", "quotes", "angles", "end tags", "references", "copies"],
)
@pytest.mark.parametrize("dialect", ["sgml", "xml"])
@pytest.mark.timeout(30)
def test_markup_bombs_cost_only_themselves(bomb: str, dialect: str) -> None:
    first, second = read(f"{bomb}<r>next</r>", dialect, "r")
    assert isinstance(first, Record) or first.reason == f"bad_{dialect}"
    assert isinstance(second, Record)
    assert second.position == 1


def test_elements_that_nest_too_deeply_are_refused() -> None:
    with pytest.raises(BadMarkupError, match="deeper than 256"):
        fields_of("<r>" + "<a>" * 300 + "</r>", False, "x")


def test_nested_texts_that_would_multiply_the_record_are_refused() -> None:
    with pytest.raises(BadMarkupError, match="8 times"):
        fields_of("<r>" + "x<a>" * 20 + "y" * 1000 + "</a>" * 20 + "</r>", True, "x")


def test_an_endless_record_is_passed_over_in_bounded_memory() -> None:
    limits = ReadLimits(max_record_bytes=1 << 20)
    items = read("<r>" + "x" * (20 << 20) + "</r><r>next</r>", "xml", "r", limits)
    assert [item.reason if isinstance(item, Unreadable) else "ok" for item in items] == ["over_long_record", "ok"]
    assert isinstance(items[0], Unreadable)
    assert len(items[0].payload) == 1 << 20


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("<r><t>naïve</t></r>".encode("latin-1"), {"encoding": "latin-1"}),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><r><t>naïve</t></r>".encode("latin-1"), {}),
        ("<r><t>naïve</t></r>".encode("utf-16"), {}),
        ("\ufeff<r><t>naïve</t></r>".encode(), {}),
        (gzip.compress("<r><t>naïve</t></r>".encode("gb18030"), mtime=0), {"encoding": "gb18030"}),
    ],
)
def test_encodings_are_given_declared_or_marked(data: bytes, options: dict[str, str]) -> None:
    assert brief(read(data, "xml", "r", **options)) == [{"t": "naïve"}]


def test_bytes_of_another_encoding_cost_only_their_record() -> None:
    items = read(b"<r><t>one</t></r><r><t>na\xefve</t></r><r><t>three</t></r>", "xml", "r")
    assert brief(items) == [{"t": "one"}, "bad_encoding", {"t": "three"}]
    assert isinstance(items[1], Unreadable)
    assert items[1].payload == b"<r><t>na\xefve</t></r>"


def test_a_source_without_a_record_element_is_refused() -> None:
    with pytest.raises(ValidationError, match="`format: sgml` needs `record_element`"):
        Sgml.model_validate({})
    with pytest.raises(ValidationError, match="klingon"):
        Xml(record_element="r", encoding="klingon")


@pytest.mark.skipif(not DATA.is_file(), reason=f"needs the development data at {DATA}")
def test_reuters_21578_has_the_documents_that_its_readme_counts() -> None:
    reader = reader_of(Sgml(record_element="REUTERS"), "TEXT/BODY", members="*/reut2-*.sgm")
    with DATA.open("rb") as stream:
        items = list(reader.read(stream, DATA.name, ReadLimits()))
    assert [item.position for item in items] == list(range(21_578))
    (bad,) = (item for item in items if isinstance(item, Unreadable))
    assert (bad.reason, bad.value) == (  # by hand: byte 0xFC of reut2-017.sgm
        "bad_encoding", "reuters21578/reut2-017.sgm: invalid start byte at byte 1022 of the record",
    )  # fmt: skip
    assert b'TOPICS="YES" LEWISSPLIT="TEST"' in bad.payload
    records = [item.data for item in items if isinstance(item, Record)]
    # README, VIII.A: ModApte 9,603 training and 3,299 test documents, 8,676 unused
    modapte = Counter((data["@LEWISSPLIT"], data["@TOPICS"]) for data in records)
    assert modapte["TRAIN", "YES"] == 9603
    assert modapte["TEST", "YES"] == 3299 - 1
    assert sum("TEXT/BODY" not in data for data in records) == 2535
    assert not [data for data in records if any(ord(c) < 9 for c in str(data.get("TEXT/BODY", "")))]
