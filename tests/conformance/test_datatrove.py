"""Every Gopher, C4 and FineWeb rule against datatrove 0.10.1 on real texts: same words in, same decision out.

datatrove lives in an environment of its own (`make peers`); without it these tests skip. `make peers` runs them with
``-s``, so that the tables of what was compared are seen.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from winnowry.operators.base import Operator
from winnowry.operators.text.c4 import C4
from winnowry.operators.text.c4_paragraph import C4Paragraph
from winnowry.operators.text.fineweb import FineWeb
from winnowry.operators.text.gopher_quality import GopherQuality
from winnowry.operators.text.gopher_repetition import GopherRepetition

REPOSITORY = Path(__file__).resolve().parents[2]
PEER = REPOSITORY / ".venv-peers" / "bin" / "python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not PEER.exists(), reason="no .venv-peers with datatrove 0.10.1: run `make peers`"),
]

AGREEMENT = 0.999

QUALITY = {
    "min_words": "gopher_short_doc", "max_words": "gopher_long_doc",
    "min_mean_word_chars": "gopher_below_avg_threshold", "max_mean_word_chars": "gopher_above_avg_threshold",
    "max_hash_word_ratio": "gopher_too_many_hashes",
    "max_ellipsis_word_ratio": "gopher_too_many_ellipsis", "max_bullet_line_ratio": "gopher_too_many_bullets",
    "max_ellipsis_line_ratio": "gopher_too_many_end_ellipsis", "min_alpha_word_ratio": "gopher_below_alpha_threshold",
    "min_stop_words": "gopher_enough_stop_words",
}  # fmt: skip
REPETITION = {
    "min_chars": "empty", "max_duplicate_paragraph_ratio": "dup_para_frac",
    "max_duplicate_paragraph_char_ratio": "dup_para_char_frac", "max_duplicate_line_ratio": "dup_line_frac",
    "max_duplicate_line_char_ratio": "dup_line_char_frac",
    **{f"max_top_{n}_gram_char_ratio": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"max_duplicate_{n}_gram_char_ratio": f"duplicated_{n}_n_grams" for n in range(5, 11)},
}  # fmt: skip
LINES = {"drop_lorem_ipsum": "lorem_ipsum", "drop_curly_bracket": "curly_bracket", "min_sentences": "too_few_sentences"}
LINE_RULES = (
    "remove_citations", "filter_no_terminal_punct", "min_words_per_line", "max_word_length", "filter_javascript",
    "filter_policy",
)  # fmt: skip
PARAGRAPH = {"min_paragraph_chars": "< 3 paragraphs"}
FINE = {
    "min_lines": "empty", "min_terminal_line_ratio": "line_punct_ratio", "max_short_line_ratio": "short_line_ratio",
    "max_duplicate_line_char_ratio": "char_dup_ratio", "max_newline_word_ratio": "list_ratio",
}  # fmt: skip

C4_OFF: dict[str, object] = {
    "remove_citations": False, "drop_unterminated_lines": False, "min_sentences": None, "min_words_per_line": None,
    "max_word_chars": None, "drop_lorem_ipsum": False, "drop_javascript_lines": False, "drop_curly_bracket": False,
    "policy_phrases": (),
}  # fmt: skip


def _only(operator: type[Operator], reasons: dict[str, str], *rules: str) -> Operator:
    """The operator with every limit off but some."""
    return operator.model_validate({name: None for name in reasons if name not in rules})


def _configurations() -> dict[str, tuple[Operator, dict[str, str]]]:
    """Ours for each configuration of benchmarks/datatrove_run.py, by the same name."""
    quality = {
        "min_doc_words": ["min_words"], "max_doc_words": ["max_words"], "min_avg_word_length": ["min_mean_word_chars"],
        "max_avg_word_length": ["max_mean_word_chars"],
        "max_symbol_word_ratio": ["max_hash_word_ratio", "max_ellipsis_word_ratio"],
        "max_bullet_lines_ratio": ["max_bullet_line_ratio"], "max_ellipsis_lines_ratio": ["max_ellipsis_line_ratio"],
        "max_non_alpha_words_ratio": ["min_alpha_word_ratio"], "min_stop_words": ["min_stop_words"],
    }  # fmt: skip
    repetition = {
        "dup_para_frac": "max_duplicate_paragraph_ratio", "dup_para_char_frac": "max_duplicate_paragraph_char_ratio",
        "dup_line_frac": "max_duplicate_line_ratio", "dup_line_char_frac": "max_duplicate_line_char_ratio",
        **{f"top_{n}_gram": f"max_top_{n}_gram_char_ratio" for n in (2, 3, 4)},
        **{f"dup_{n}_gram": f"max_duplicate_{n}_gram_char_ratio" for n in range(5, 11)},
    }  # fmt: skip
    c4: dict[str, dict[str, object]] = {
        "remove_citations": {"remove_citations": True}, "filter_no_terminal_punct": {"drop_unterminated_lines": True},
        "min_num_sentences": {"min_sentences": 5}, "min_words_per_line": {"min_words_per_line": 3},
        "max_word_length": {"max_word_chars": 1000}, "filter_lorem_ipsum": {"drop_lorem_ipsum": True},
        "filter_javascript": {"drop_javascript_lines": True}, "filter_curly_bracket": {"drop_curly_bracket": True},
        "filter_policy": {"policy_phrases": C4().policy_phrases},
    }  # fmt: skip
    fineweb = {
        "line_punct_thr": "min_terminal_line_ratio", "short_line_thr": "max_short_line_ratio",
        "char_duplicates_ratio": "max_duplicate_line_char_ratio", "new_line_ratio": "max_newline_word_ratio",
    }  # fmt: skip
    return {
        "gopher_quality": (GopherQuality(), QUALITY),
        **{f"gopher_quality:{k}": (_only(GopherQuality, QUALITY, *v), QUALITY) for k, v in quality.items()},
        "gopher_repetition": (GopherRepetition(), REPETITION),
        **{
            f"gopher_repetition:{k}": (_only(GopherRepetition, REPETITION, "min_chars", v), REPETITION)
            for k, v in repetition.items()
        },
        "c4": (C4(), LINES),
        "c4_fineweb": (C4(drop_unterminated_lines=False), LINES),
        "c4:none": (C4.model_validate(C4_OFF), LINES),
        **{f"c4:{name}": (C4.model_validate(C4_OFF | changed), LINES) for name, changed in c4.items()},
        "c4_paragraph": (C4Paragraph(), PARAGRAPH),
        "fineweb": (FineWeb(), FINE),
        **{f"fineweb:{k}": (_only(FineWeb, FINE, "min_lines", v), FINE) for k, v in fineweb.items()},
    }


def _decide(operator: Operator, reasons: dict[str, str], batch: pa.RecordBatch) -> tuple[list[str | None], pa.Array]:
    """The first reason against each text, in the peer's words, and the text as written."""
    written = operator.apply(batch)
    first: list[str | None] = [None] * batch.num_rows
    for rule in operator.rules():
        for index, kept in enumerate(rule.keeps(written[rule.column]).to_pylist()):
            if not kept and first[index] is None:
                first[index] = reasons[rule.name]
    return first, written["text"] if "text" in written.schema.names else batch["text"]


def _ask_peer(folder: Path, texts: Sequence[str], *arguments: str) -> pa.Table:
    """Ask datatrove in two processes (a machine of CI has two cores), each about every second text."""
    running = []
    for half in (0, 1):
        batch = pa.record_batch([pa.array(texts[half::2], pa.large_string())], names=["text"])
        source, target = folder / f"texts-{half}.arrow", folder / f"decisions-{half}.arrow"
        with pa.OSFile(str(source), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        command = [str(PEER), "benchmarks/datatrove_run.py", "decide", str(source), str(target), *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        running.append((target, subprocess.Popen(command, cwd=REPOSITORY, env=environment)))
    halves = []
    for target, process in running:
        assert process.wait() == 0
        with pa.memory_map(str(target)) as stored:
            halves.append(pa.ipc.open_file(stored).read_all())
    order = [position for pair in range(len(halves[0])) for position in (pair, len(halves[0]) + pair)][: len(texts)]
    return pa.concat_tables(halves).take(order)


def _mixture() -> list[str]:
    from benchmarks.real_texts import mixture

    return list(mixture())


@pytest.fixture(scope="module")
def texts(real_data: Path) -> list[str]:
    found = _mixture()
    assert len(found) >= 20_000
    return found


def test_every_rule_decides_as_datatrove_does_given_the_same_words(
    texts: list[str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    peer = _ask_peer(tmp_path, texts)
    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    failures = []
    print(f"\n{len(texts)} documents\n{'filter':42} {'rule':30} compared    fired     same")
    for name, (operator, reasons) in _configurations().items():
        ours, cleaned = _decide(operator, reasons, batch)
        theirs = peer[name].to_pylist()
        # where datatrove divides by zero (a rule alone, no words) there is nothing to compare with
        rows = [index for index, reason in enumerate(theirs) if not (reason or "").startswith("error")]
        same = [index for index in rows if ours[index] == theirs[index]]
        agreement = len(same) / len(rows)
        record_property(name, agreement)
        if agreement < AGREEMENT:
            differing = Counter((ours[index], theirs[index]) for index in set(rows) - set(same))
            failures.append(f"{name}: {agreement:.4%} the same; (ours, theirs): {differing.most_common(5)}")
        if f"{name}.text" in peer.column_names:
            kept = [index for index in same if theirs[index] is None]
            before, mine, other = (x.to_pylist() for x in (peer["c4:none.text"], cleaned, peer[f"{name}.text"]))
            equal = sum(mine[index] == other[index] for index in kept)
            changed = sum(before[index] != other[index] for index in kept)
            print(f"{name:42} {'(text of the kept)':30} {len(kept):8} {changed:8} {equal / max(1, len(kept)):8.4%}")
            if equal < AGREEMENT * len(kept):
                failures.append(f"{name}: {len(kept) - equal} of {len(kept)} kept texts differ")
            if changed == 0 and name.removeprefix("c4:") in LINE_RULES:
                failures.append(f"{name}: changed no text")
        for rule in operator.rules():
            reason = reasons[rule.name]
            fired = sum(theirs[index] == reason for index in rows)
            both = sum(theirs[index] == reason == ours[index] for index in rows)
            print(f"{name:42} {rule.name:30} {len(rows):8} {fired:8} {both / fired if fired else 0:8.4%}")
            if (
                fired == 0
                and (":" in name or len(operator.rules()) == 1)
                and rule.name not in ("min_chars", "min_lines")
            ):
                failures.append(f"{name}: {rule.name} never fired")
    print(peer.num_rows, "documents compared")
    assert failures == []


def test_agreement_with_the_tokeniser_of_datatrove_is_what_the_documentation_says(
    texts: list[str], tmp_path: Path
) -> None:
    sample = random.Random(7).sample([text for text in texts if text.isascii() and len(text) < 20_000], 3000)
    peer = _ask_peer(tmp_path, sample, "--tokenizer", "spacy", "--published")
    batch = pa.record_batch([pa.array(sample, pa.large_string())], names=["text"])
    print(f"\n{len(sample)} English documents, datatrove with spaCy's words, ours with its own")
    for name in ("gopher_quality", "gopher_repetition", "c4", "c4_fineweb", "fineweb"):
        operator, reasons = _configurations()[name]
        ours, _ = _decide(operator, reasons, batch)
        theirs = peer[name].to_pylist()
        decision = sum((a is None) == (b is None) for a, b in zip(ours, theirs, strict=True)) / len(sample)
        reason = sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(sample)
        print(f"{name:20} same decision {decision:.2%}, same reason {reason:.2%}")
        assert decision >= {"gopher_quality": 0.95}.get(name, 0.99)
