"""What datatrove decides about texts, or how long it takes; run by .venv-peers (`make peers`), never by .venv.

    .venv-peers/bin/python benchmarks/datatrove_run.py decide TEXTS.arrow OUT.arrow [--tokenizer winnowry|spacy]
    .venv-peers/bin/python benchmarks/datatrove_run.py time TEXTS.arrow

``decide`` asks each filter as published and with all rules but one switched off. The tokeniser ``winnowry`` goes in
through datatrove's own extension point, a WordTokenizer given as the language.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import pyarrow as pa

QUALITY_OFF = dict.fromkeys(
    (
        "min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
        "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words",
    )
)  # fmt: skip
REPETITION_OFF = {
    **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
    "top_n_grams": (),
    "dup_n_grams": (),
}
C4_OFF = {
    "remove_citations": False, "filter_no_terminal_punct": False, "min_num_sentences": -1, "min_words_per_line": -1,
    "max_word_length": -1, "filter_lorem_ipsum": False, "filter_javascript": False, "filter_curly_bracket": False,
    "filter_policy": False,
}  # fmt: skip
FINEWEB_OFF = {"line_punct_thr": -1, "short_line_thr": 9, "char_duplicates_ratio": 9, "new_line_ratio": 1e9}

CONFIGURATIONS: dict[str, tuple[str, dict[str, object]]] = {
    "gopher_quality": ("GopherQualityFilter", {}),
    **{
        f"gopher_quality:{name}": ("GopherQualityFilter", {**QUALITY_OFF, name: value})
        for name, value in {
            "min_doc_words": 50, "max_doc_words": 100000, "min_avg_word_length": 3, "max_avg_word_length": 10,
            "max_symbol_word_ratio": 0.1, "max_bullet_lines_ratio": 0.9, "max_ellipsis_lines_ratio": 0.3,
            "max_non_alpha_words_ratio": 0.8, "min_stop_words": 2,
        }.items()
    },
    "gopher_repetition": ("GopherRepetitionFilter", {}),
    **{
        f"gopher_repetition:{name}": ("GopherRepetitionFilter", {**REPETITION_OFF, name: value})
        for name, value in {
            "dup_para_frac": 0.3, "dup_para_char_frac": 0.2, "dup_line_frac": 0.3, "dup_line_char_frac": 0.2,
        }.items()
    },
    **{
        f"gopher_repetition:top_{n}_gram": ("GopherRepetitionFilter", {**REPETITION_OFF, "top_n_grams": ((n, limit),)})
        for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))
    },
    **{
        f"gopher_repetition:dup_{n}_gram": ("GopherRepetitionFilter", {**REPETITION_OFF, "dup_n_grams": ((n, limit),)})
        for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    },
    "c4": ("C4QualityFilter", {}),
    "c4_fineweb": ("C4QualityFilter", {"filter_no_terminal_punct": False}),
    "c4:none": ("C4QualityFilter", C4_OFF),
    **{
        f"c4:{name}": ("C4QualityFilter", {**C4_OFF, name: value})
        for name, value in {
            "remove_citations": True, "filter_no_terminal_punct": True, "min_num_sentences": 5,
            "min_words_per_line": 3, "max_word_length": 1000, "filter_lorem_ipsum": True, "filter_javascript": True,
            "filter_curly_bracket": True, "filter_policy": True,
        }.items()
    },
    "c4_paragraph": ("C4ParagraphFilter", {}),
    "fineweb": ("FineWebQualityFilter", {}),
    **{
        f"fineweb:{name}": ("FineWebQualityFilter", {**FINEWEB_OFF, name: value})
        for name, value in {
            "line_punct_thr": 0.12, "short_line_thr": 0.67, "char_duplicates_ratio": 0.01, "new_line_ratio": 0.3,
        }.items()
    },
}  # fmt: skip
PUBLISHED = ("gopher_quality", "gopher_repetition", "c4", "c4_fineweb", "c4_paragraph", "fineweb")


def winnowry_tokenizer() -> object:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    import numpy as np
    from datatrove.utils.word_tokenizers import WordTokenizer

    from winnowry.operators.text.c4 import ABBREVIATIONS, hashes
    from winnowry.operators.text.kernels.sentences import count_sentences
    from winnowry.operators.text.kernels.words import word_table
    from winnowry.operators.text.tokenizer import words

    class Winnowry(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return words(text)

        def sent_tokenize(self, text: str) -> list[str]:
            raise NotImplementedError

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            data = np.frombuffer(text.encode() or b"\0", dtype=np.uint8)
            size = len(text.encode())
            scratch = (np.empty(size + 1, dtype) for dtype in (np.int64, np.int64, np.int32, np.uint64, np.uint8))
            n = count_sentences(data, 0, size, word_table(), hashes(ABBREVIATIONS), *scratch)
            return [(0, len(text))] * int(n)  # the filters ask only how many

    return Winnowry()


def decide(texts: list[str], tokenizer: str, names: tuple[str, ...]) -> dict[str, list[str | None]]:
    from datatrove.data import Document
    from datatrove.pipeline import filters

    language = winnowry_tokenizer() if tokenizer == "winnowry" else "eng"
    made = {}
    for name in names:
        class_name, arguments = CONFIGURATIONS[name]
        if class_name != "C4ParagraphFilter":
            arguments = {**arguments, "language": language}
        made[name] = getattr(filters, class_name, None) or vars(filters.c4_filters)[class_name]
        made[name] = made[name](**arguments)
    results: dict[str, list[str | None]] = {name: [] for name in names}
    results.update({f"{name}.text": [] for name in names if CONFIGURATIONS[name][0] == "C4QualityFilter"})
    for index, text in enumerate(texts):
        for name, one in made.items():
            document = Document(text=text, id=str(index))
            try:
                decision = one.filter(document)
                reason = None if decision is True else decision[1]
            except ZeroDivisionError as error:
                reason = f"error: {type(error).__name__}"
            results[name].append(reason)
            if f"{name}.text" in results:
                results[f"{name}.text"].append(document.text)
    return results


def measure(texts: list[str]) -> dict[str, object]:
    """CPU seconds of FineWeb's order of filters, start-up apart."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.formatters import FTFYFormatter

    formatter = FTFYFormatter()
    chain = [
        GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]  # fmt: skip
    for one in chain:  # loads the tokeniser
        one.filter(Document(text="A sentence to start with, and another. " * 20, id="warm"))
    started = time.process_time()
    kept = 0
    for index, text in enumerate(texts):
        document = Document(text=formatter.format(text), id=str(index))
        kept += all(one.filter(document) is True for one in chain)
    return {"cpu_s": time.process_time() - started, "startup_cpu_s": started, "kept": kept, "documents": len(texts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["decide", "time"])
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--tokenizer", choices=["winnowry", "spacy"], default="winnowry")
    parser.add_argument("--published", action="store_true", help="only the filters as published")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # the mean of no words
    with pa.memory_map(str(arguments.texts)) as source:
        texts = pa.ipc.open_file(source).read_all()["text"].to_pylist()
    if arguments.what == "time":
        print(json.dumps(measure(texts)))
        return
    names = PUBLISHED if arguments.published else tuple(CONFIGURATIONS)
    results = decide(texts, arguments.tokenizer, names)
    table = pa.table({name: pa.array(values, pa.large_string()) for name, values in results.items()})
    with pa.OSFile(str(arguments.out), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    main()
