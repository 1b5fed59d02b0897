"""Components of grammatical complexity from parses: the five of the paper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Literal

import numpy as np
import numpy.typing as npt

from winnowry.operators.scoring.kernels import columns
from winnowry.operators.scoring.parsers.base import Parse, Words

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
TagSet = Literal["penn", "jieba", "upos"]

PARSED_COMPONENTS = ("con_ent", "pos_ent", "dep_ent", "avg_dep_height", "avg_dep_dis")

CONTENT_TAGS: dict[TagSet, frozenset[str]] = {
    "penn": frozenset(
        {"NN", "NNS", "NNP", "NNPS", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "JJ", "JJR", "JJS", "RB", "RBR", "RBS"}
    ),
    "jieba": frozenset(
        {"n", "v", "a", "m", "q", "d", "b", "r", "t", "s", "f", "an", "nr", "nrfg", "nrt", "ns", "nt", "nz", "vn"}
    ),
    "upos": frozenset({"NOUN", "PROPN", "VERB", "ADJ", "ADV"}),
}
"""Tags of content words. Penn and jieba: the released code of Ying et al. 2025; upos: ours, the same classes."""


@dataclass(frozen=True)
class FlatParses:
    """Parses of n texts as flat arrays: what the compiled loop reads.

    Attributes:
        word_offsets: int64 (n + 1), where each text's words begin.
        forms: int32 per word, a number for each different surface form.
        tags: int32 per word, a number for each different tag.
        lettered: bool per word: has at least one letter; others do not count.
        content: bool per word: lettered, and its tag is one of a content word.
        sentence_offsets: int64 (n + 1), where each text's sentences begin.
        token_offsets: int64 (sentences + 1), where each sentence's tokens begin.
        heads: int32 per token, counted from 1 in its sentence; 0 is the root.
        labels: int32 per token, a number for each different dependency label.
        flags: int32 (n), what is already known to be odd, bits of ``kernels.columns``.
    """

    word_offsets: Int64s
    forms: Int32s
    tags: Int32s
    lettered: Bools
    content: Bools
    sentence_offsets: Int64s
    token_offsets: Int64s
    heads: Int32s
    labels: Int32s
    flags: Int32s


def flatten(parses: Sequence[Parse], tag_set: TagSet) -> FlatParses:
    """Bring n parses into flat arrays.

    Args:
        parses: one a text.
        tag_set: which tags say what a content word is; ``upos`` reads the universal tags of the tokens, the others
            the parser's own.
    """
    sentences = [parse.sentences for parse in parses]
    words = [parse.words or _tokens(parse, tag_set) for parse in parses]
    forms, form_names = _numbered(chain.from_iterable(text.forms for text in words))
    tags, tag_names = _numbered(chain.from_iterable(text.tags for text in words))
    labels, _ = _numbered(chain.from_iterable(sentence.deprels for text in sentences for sentence in text))
    has_letter = np.array([any(map(str.isalpha, form)) for form in form_names] or [False], np.bool_)
    is_content = np.array([tag in CONTENT_TAGS[tag_set] for tag in tag_names] or [False], np.bool_)
    lettered = has_letter[forms] if len(forms) else np.empty(0, np.bool_)
    return FlatParses(
        word_offsets=_offsets([len(text.forms) for text in words]),
        forms=forms,
        tags=tags,
        lettered=lettered,
        content=lettered & is_content[tags] if len(tags) else lettered,
        sentence_offsets=_offsets([len(text) for text in sentences]),
        token_offsets=_offsets([len(sentence) for text in sentences for sentence in text]),
        heads=np.fromiter(chain.from_iterable(sentence.heads for text in sentences for sentence in text), np.int32),
        labels=labels,
        flags=np.array([columns.CUT * parse.cut + columns.UNREADABLE * parse.unreadable for parse in parses], np.int32),
    )


def parsed_components(
    parses: FlatParses, *, window: int = 0, one_root: bool = False
) -> tuple[npt.NDArray[np.float64], Int32s]:
    """Measure parsed texts.

    * ``con_ent``: entropy in bits of the surface forms of content words, case kept;
    * ``pos_ent``: entropy in bits of the part-of-speech tags of words with at least one letter;
    * ``dep_ent``: entropy in bits of the dependency labels of all tokens, punctuation included;
    * ``avg_dep_height``: mean over sentences of the edges from the root to the deepest token;
    * ``avg_dep_dis``: mean over arcs of the distance in tokens between a token and its head.

    An entropy of nothing is 0 (paper), but a text without a token has no components. A sentence whose heads form no
    tree (a cycle, no root, a head outside the sentence) is left out of the height and the distance.

    Args:
        parses: n texts.
        window: 0, or entropies are means over consecutive windows of so many words (``dep_ent``: tokens); the rest
            behind whole windows is left out, a text shorter than one window is one.
        one_root: divide distances by tokens less one a sentence, as the paper does, instead of by the number of arcs;
            only sentences with several roots differ.

    Returns:
        float64 (n, 6): con_ent, pos_ent, dep_ent, avg_dep_height, avg_dep_dis, n_words (those with a letter), NaN
        where there is nothing to measure; int32 (n): bits of ``kernels.columns.FLAGS``.

    Source: Ying et al., EMNLP 2025 main 1121, and its released code.
    """
    from winnowry.operators.scoring.kernels.trees import measure_trees

    measured = np.empty((len(parses.word_offsets) - 1, 6), np.float64)
    flags = parses.flags.copy()
    n_codes = 1 + max(int(codes.max(initial=0)) for codes in (parses.forms, parses.tags, parses.labels))
    measure_trees(
        parses.word_offsets,
        parses.forms,
        parses.tags,
        parses.lettered,
        parses.content,
        parses.sentence_offsets,
        parses.token_offsets,
        parses.heads,
        parses.labels,
        n_codes,
        window,
        one_root,
        measured,
        flags,
    )
    return measured, flags


def flag_names(flags: Int32s) -> list[str | None]:
    """What is odd about each text, joined by commas; None where nothing is.

    >>> flag_names(np.array([0, columns.CYCLIC_HEADS | columns.CUT], np.int32))
    [None, 'cyclic_heads,cut']
    """
    return [",".join(name for bit, name in columns.FLAGS.items() if flag & bit) or None for flag in flags.tolist()]


def _tokens(parse: Parse, tag_set: TagSet) -> Words:
    """The tokens of the sentences as words."""
    tags = (sentence.upos if tag_set == "upos" else sentence.xpos for sentence in parse.sentences)
    return Words(
        forms=list(chain.from_iterable(sentence.forms for sentence in parse.sentences)),
        tags=list(chain.from_iterable(tags)),
    )


def _numbered(names: Iterable[str]) -> tuple[Int32s, list[str]]:
    """A number for each different name, from 0 as they are met, and the names."""
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    return np.fromiter(map(numbers.__getitem__, names), np.int32), list(numbers)


def _offsets(sizes: list[int]) -> Int64s:
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))).astype(np.int64)
