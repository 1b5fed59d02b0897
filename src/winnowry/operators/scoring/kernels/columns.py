"""Columns of measured components, and what can be odd about a parsed text."""

from __future__ import annotations

CON_ENT, POS_ENT, SENT_LEN, N_WORDS = range(4)

# tier parsed
PARSED_CON_ENT, PARSED_POS_ENT, DEP_ENT, AVG_DEP_HEIGHT, AVG_DEP_DIS, PARSED_N_WORDS = range(6)

LONG_SENTENCE_TOKENS = 1_000

# one bit each
NO_SENTENCE = 1
ONE_WORD_SENTENCES = 2
SEVERAL_ROOTS = 4
NO_ROOT = 8
CYCLIC_HEADS = 16
HEAD_OUT_OF_RANGE = 32
LONG_SENTENCE = 64
CUT = 128
UNREADABLE = 256

FLAGS = {
    NO_SENTENCE: "no_sentence",
    ONE_WORD_SENTENCES: "one_word_sentences",
    SEVERAL_ROOTS: "several_roots",
    NO_ROOT: "no_root",
    CYCLIC_HEADS: "cyclic_heads",
    HEAD_OUT_OF_RANGE: "head_out_of_range",
    LONG_SENTENCE: "long_sentence",
    CUT: "cut",
    UNREADABLE: "unreadable",
}
