"""Tier parsed over given parses: the paper's formulas, degenerate trees, windows."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.operators.scoring.complexity_reference import (
    JIEBA_CONTENT,
    NAMES,
    PENN_CONTENT,
    Sentence,
    complexity,
    conllu,
    entropy,
    five_components,
)
from winnowry.core.errors import UsageError
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.operators.scoring.parsers.conllu import read_conllu

TREEBANK = Path(__file__).parents[5] / "shared" / "data" / "treebank" / "ud_en_ewt_zh_gsdsimp_dev_test.tar.zst"


def operator(**parameters: object) -> GrammaticalComplexity:
    return GrammaticalComplexity.model_validate({"tier": "parsed", "parser": "conllu", **parameters})


def batch(parses: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"conllu": pa.array(parses, pa.large_string())})


def measured(*parses: str | None, **parameters: object) -> list[dict[str, object]]:
    rows = operator(**parameters).measure(batch(list(parses))).to_pylist()
    return [{name.removeprefix("gc_"): value for name, value in row.items()} for row in rows]


def tree(heads: list[int], labels: str = "", forms: str = "", tags: list[str] | None = None) -> str:
    n = len(heads)
    labels, forms, tags = labels or "d" * n, forms or "w" * n, tags or ["NN"] * n
    return conllu([list(zip(forms, tags, heads, labels, strict=True))])


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    """A random tree of up to 12 tokens in random order, now and then with a second root."""
    n = draw(st.integers(1, 12))
    order = draw(st.permutations(range(1, n + 1)))
    heads = [0] * n
    for place, token in enumerate(order[1:], 1):
        heads[token - 1] = order[draw(st.integers(0, place - 1))]
    if n > 2 and draw(st.integers(0, 5)) == 0:
        heads[order[-1] - 1] = 0
    forms = st.sampled_from(["rate", "Rate", "rates", "3%", "7", "--", "x1", "利率", "。", "é"])
    tags = st.sampled_from(["NN", "NNS", "NNX", "VBD", "JJ", "RB", "DT", "n", "vn", "m", "uj", "."])
    labels = st.sampled_from(["nsubj", "obj", "punct", "root", "det", "nsubj:pass"])
    return [(draw(forms), draw(tags), head, draw(labels)) for head in heads]


class TestOracles:
    """Counted by hand."""

    def test_tags_two_one_one_are_one_and_a_half_bits(self) -> None:
        [row] = measured(tree([2, 3, 0, 3], tags=["n", "n", "v", "a"]))
        assert row["pos_ent"] == 1.5

    def test_parents_one_two_root_two_have_height_two_and_distance_one(self) -> None:
        # counted from 0 in the specification: [1, 2, -1, 2]
        [row] = measured(tree([2, 3, 0, 3]))
        assert (row["avg_dep_height"], row["avg_dep_dis"]) == (2.0, 1.0)


class TestPaperForm:
    @given(st.lists(st.lists(sentences(), min_size=1, max_size=6), min_size=1, max_size=6))
    @settings(max_examples=150)
    def test_components_and_scores_equal_the_formulas_on_random_parses(self, pool: list[list[Sentence]]) -> None:
        pool = [[*parse, [("Yes", "RB", 2, "root"), ("it", "PRP", 0, "dep")]] for parse in pool]  # at least one arc
        for tags, content in (("penn", PENN_CONTENT), ("jieba", JIEBA_CONTENT)):
            form = operator(mode="paper", tag_set=tags)
            components = pa.table(form.measure(batch([conllu(parse) for parse in pool])))
            expected = [five_components(parse, content) for parse in pool]
            for number, name in enumerate(NAMES):
                assert components[f"gc_{name}"].to_pylist() == pytest.approx(
                    [row[number] for row in expected], abs=1e-12
                )
            rounded = [
                tuple(row) for row in zip(*(components[f"gc_{name}"].to_pylist() for name in NAMES), strict=True)
            ]
            written = form.combine(components, form.fit(components))
            assert written["gc"].to_pylist() == pytest.approx(complexity(rounded), abs=1e-12)
            assert written["gc_partial"].to_pylist() == [False] * len(pool)

    def test_case_is_kept_numbers_are_no_words_and_punctuation_labels_count(self) -> None:
        [row] = measured(tree([2, 0, 2, 2], "adpa", "Aa7.", ["NN", "NN", "NN", "."]), mode="paper")
        assert row["con_ent"] == 1.0
        assert row["pos_ent"] == 0.0
        assert row["dep_ent"] == 1.5
        assert row["n_words"] == 2

    def test_a_component_equal_in_all_texts_adds_nothing(self) -> None:
        form = operator(mode="paper")
        components = pa.table(form.measure(batch([tree([2, 0, 2]), tree([2, 3, 0])])))
        assert form.combine(components, form.fit(components))["gc"].to_pylist() == pytest.approx([0.0, 0.2])

    def test_paper_form_sets_what_it_stands_for_and_refuses_anything_else(self) -> None:
        form = GrammaticalComplexity.model_validate({"mode": "paper", "language": "zh"})
        assert (form.tier, form.normalise, form.length_control, form.parser_name) == (
            "parsed", "minmax", "none", "udpipe",
        )  # fmt: skip
        with pytest.raises(ValidationError, match="mode: paper has normalise: minmax, not rank"):
            operator(mode="paper", normalise="rank")

    def test_several_roots_divide_by_arcs_unless_the_paper_is_followed(self) -> None:
        two_roots = tree([0, 1, 1, 0])  # distances 1 and 2 over 2 arcs; the paper divides by 4 - 1
        assert measured(two_roots)[0]["avg_dep_dis"] == 1.5
        assert measured(two_roots, mode="paper")[0]["avg_dep_dis"] == 1.0
        assert measured(two_roots)[0]["flag"] == "several_roots"

    @pytest.mark.parametrize(("language", "tags"), [("English-EWT", "penn"), ("Chinese-GSDSimp", "penn")])
    def test_components_equal_the_formulas_on_a_treebank(self, language: str, tags: str) -> None:
        if not TREEBANK.exists():
            pytest.skip(f"no treebank at {TREEBANK}")
        parses = treebank(language)
        form = operator(mode="paper", tag_set=tags)
        components = form.measure(batch([conllu(parse) for parse in parses]))
        expected = np.array([five_components(parse, PENN_CONTENT) for parse in parses])
        found = np.array([components[f"gc_{name}"].to_numpy() for name in NAMES]).T
        assert len(parses) >= 50
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def treebank(language: str) -> list[list[Sentence]]:
    """Texts of ten sentences; read here without winnowry's reader."""
    with TREEBANK.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        unpacked = io.BytesIO(stream.read())
    with tarfile.open(fileobj=unpacked) as archive:
        [name] = [n for n in archive.getnames() if language in n and n.endswith("dev.conllu")]
        member = archive.extractfile(name)
        assert member is not None
        content = member.read().decode()
    found: list[Sentence] = []
    for block in content.split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if line and not line.startswith("#")]
        if rows:
            found.append([(r[1], r[4], int(r[6]), r[7]) for r in rows if "-" not in r[0] and "." not in r[0]])
    return [found[at : at + 10] for at in range(0, len(found) - 9, 10)]


class TestDegenerate:
    @pytest.mark.parametrize(
        ("heads", "flag"),
        [
            ([2, 1, 0], "cyclic_heads"),
            ([1, 0], "cyclic_heads"),
            ([2, 3, 1], "no_root"),
            ([5, 0], "head_out_of_range"),
            ([-1, 0], "head_out_of_range"),
        ],
    )
    def test_a_sentence_that_is_no_tree_is_flagged_and_left_out_of_heights_and_distances(
        self, heads: list[int], flag: str
    ) -> None:
        alone, beside = measured(tree(heads), tree(heads) + "\n" + tree([0, 1, 1]))
        assert (alone["flag"], alone["avg_dep_height"], alone["avg_dep_dis"]) == (flag, None, None)
        assert alone["dep_ent"] == 0.0
        assert (beside["flag"], beside["avg_dep_height"], beside["avg_dep_dis"]) == (flag, 1.0, 1.5)

    def test_one_word_has_height_zero_and_no_distance(self) -> None:
        [row] = measured(tree([0]))
        assert (row["avg_dep_height"], row["avg_dep_dis"], row["flag"]) == (0.0, None, "one_word_sentences")

    def test_nothing_to_parse_has_no_components_and_no_score(self) -> None:
        form = operator()
        texts = batch([None, "", "# only a comment\n", "no parse at all", tree([0, 1])])
        written = form.apply_fitted(texts, form.fit(pa.table(form.measure(texts))))
        assert written["gc_flag"].to_pylist() == [
            "no_sentence", "no_sentence", "no_sentence", "no_sentence,unreadable", None,
        ]  # fmt: skip
        assert written["gc"].is_null().to_pylist() == [True, True, True, True, False]
        assert written["gc_partial"].to_pylist() == [True, True, True, True, False]
        assert written.schema == form.writes()

    def test_punctuation_alone_has_labels_but_no_words(self) -> None:
        [row] = measured(tree([2, 0], "ab", ".!"))
        assert (row["pos_ent"], row["con_ent"], row["dep_ent"], row["n_words"]) == (0.0, 0.0, 1.0, 0.0)

    def test_a_chain_of_two_hundred_thousand_tokens_is_measured_without_recursion(self) -> None:
        n = 200_000
        [row] = measured(tree([0, *range(1, n)]))
        assert (row["avg_dep_height"], row["avg_dep_dis"], row["flag"]) == (n - 1, 1.0, "long_sentence")

    @pytest.mark.parametrize(
        "text",
        [
            "1\ta\t_\t_\tNN\t_\t0\tx\t_",
            "2\ta\t_\t_\tNN\t_\t0\tx\t_\t_",
            "1\ta\t_\t_\tNN\t_\t_\tx\t_\t_",
            "1\ta\t_\t_\tNN\t_\t99999999999\tx\t_\t_",
            "word",
        ],
    )
    def test_a_malformed_line_makes_a_text_unreadable(self, text: str) -> None:
        assert read_conllu(tree([0, 1]) + "\n" + text).unreadable

    def test_ranges_and_empty_nodes_are_passed_over(self) -> None:
        parse = read_conllu(
            "# text = don't\r\n1-2\tdon't" + "\t_" * 8 + "\r\n1\tdo\t_\tAUX\tVB\t_\t0\troot\t_\t_\r\n"
            "1.1\tx" + "\t_" * 8 + "\r\n2\tn't\t_\tPART\tRB\t_\t1\tadvmod\t_\t_\r\n"
        )
        assert [list(sentence.forms) for sentence in parse.sentences] == [["do", "n't"]]
        assert (list(parse.sentences[0].heads), list(parse.sentences[0].upos)) == ([0, 1], ["AUX", "PART"])


class TestWindows:
    def test_entropies_are_means_over_whole_windows_of_200_words(self) -> None:
        def one_sentence(words: list[tuple[str, str]]) -> str:
            return conllu([[(form, tag, 0 if at == 0 else 1, tag) for at, (form, tag) in enumerate(words)]])

        first = [("a", "NN")] * 100 + [("b", "JJ")] * 100
        second = [("a", "NN")] * 200
        rest = [(f"w{n}", f"T{n}") for n in range(150)]
        [row] = measured(one_sentence(first + second + rest), length_control="fixed_window")
        assert (row["pos_ent"], row["con_ent"], row["dep_ent"]) == (0.5, 0.5, 0.5)
        [short] = measured(one_sentence(rest), length_control="fixed_window")
        assert short["pos_ent"] == pytest.approx(np.log2(150))

    def test_a_long_text_of_one_style_has_the_entropy_of_a_short_one(self) -> None:
        generator = np.random.default_rng(3)

        def text(n: int) -> str:
            forms = generator.integers(0, 3000, n)
            return conllu([[(f"w{f}", "NN", 0 if at == 0 else 1, "d") for at, f in enumerate(forms)]])

        short, long = measured(text(400), text(20_000), length_control="fixed_window")
        plain_short, plain_long = measured(text(400), text(20_000), length_control="none")
        assert long["con_ent"] == pytest.approx(short["con_ent"], abs=0.3)
        assert plain_long["con_ent"] - plain_short["con_ent"] > 1.0


class TestOperator:
    def test_scores_do_not_depend_on_how_rows_are_cut(self) -> None:
        generator = np.random.default_rng(5)
        parses = [tree([0, *generator.integers(1, n, n - 1).tolist()], forms="abcdefgh"[:n]) for n in range(2, 9)] * 3
        texts = batch([*parses, None, ""])
        form = operator()
        fit = form.fit(pa.table(form.measure(texts)))
        assert json.loads(json.dumps(fit)) == fit
        parts = [form.apply_fitted(texts.slice(at, 4), fit) for at in range(0, texts.num_rows, 4)]
        assert (
            pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([form.apply_fitted(texts, fit)]))
        )

    def test_the_column_is_named(self) -> None:
        assert operator(conllu_column="parse").reads().names == ["parse"]
        assert operator().writes().names == [
            "gc", "gc_con_ent", "gc_pos_ent", "gc_dep_ent", "gc_avg_dep_height", "gc_avg_dep_dis", "gc_partial",
            "gc_flag",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"tier": "lexical"}, "parser is for tier: parsed"),
            ({"parser": "spacy", "language": "zh"}, "parser spacy is for language: en, not zh"),
            ({"parser": "ltp"}, "parser ltp is for language: zh, not en"),
            ({"parser": None, "tag_set": "penn"}, "tag_set is for parser: conllu"),
            ({"cascade": {}}, "parses given in a column"),
            ({"weights": {"sent_len": 2}}, "tier parsed has no component sent_len to weigh"),
            ({"parser": None, "cascade": {"band": [0.9, 0.7]}}, "no range of ranks"),
        ],
    )
    def test_parameters_that_do_not_go_together_are_refused(self, parameters: dict[str, object], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            operator(**parameters)

    def test_weights_leave_components_out(self) -> None:
        form = operator(
            normalise="minmax",
            length_control="none",
            weights={"con_ent": 0, "pos_ent": 0, "dep_ent": 0, "avg_dep_dis": 0, "avg_dep_height": 3},
        )
        texts = batch([tree([0, 1, 1]), tree([0, 1, 2, 3]), tree([0, 1, 2])])
        assert form.apply_fitted(texts, form.fit(pa.table(form.measure(texts))))["gc"].to_pylist() == [0.0, 1.0, 0.5]

    def test_statistics_of_another_parser_are_refused(self) -> None:
        texts = batch([tree([0, 1])])
        fit = operator().fit(pa.table(operator().measure(texts)))
        with pytest.raises(UsageError, match="parser 'other', expected 'conllu'"):
            operator().apply_fitted(texts, {**fit, "parser": "other"})

    def test_universal_tags_name_content_words_when_asked(self) -> None:
        line = (
            "1\tred\t_\tADJ\tX\t_\t0\troot\t_\t_\n2\tof\t_\tADP\tY\t_\t1\tcase\t_\t_\n"
            "3\tTea\t_\tPROPN\tX\t_\t1\tobj\t_\t_\n"
        )
        [upos], [penn] = measured(line, language="zh"), measured(line, language="en")
        assert (upos["con_ent"], upos["pos_ent"]) == (entropy(["red", "Tea"]), pytest.approx(np.log2(3)))
        assert (penn["con_ent"], penn["pos_ent"]) == (0.0, pytest.approx(entropy(["X", "Y", "X"])))
