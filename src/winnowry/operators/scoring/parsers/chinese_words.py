"""Chinese texts cut into sentences and words."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from winnowry.core.errors import UsageError
from winnowry.operators.scoring.kernels.columns import LONG_SENTENCE_TOKENS
from winnowry.operators.scoring.parsers.base import Words
from winnowry.operators.scoring.plain_text import without_table_bars

LONGEST_SENTENCE = 128


Tagger = Literal["jieba", "rjieba"]


_ENDS = r"。！!？?；;|\n\t…"


_SENTENCES = re.compile(rf"[^{_ENDS}]{{0,{LONGEST_SENTENCE - 1}}}(?:[{_ENDS}]|[^{_ENDS}]|\Z)")


_ENDLESS = re.compile(rf"[^{_ENDS}]{{{LONG_SENTENCE_TOKENS + 1}}}")


def sentences(text: str) -> list[str]:
    """Cut a text as the paper does: at any of ``。！!？?；;|``, an ellipsis, tab or line break, or at 128 characters.

    Pieces without a letter are dropped, the others stripped of blanks at their ends.

    Source: the released code of Ying et al., EMNLP 2025 main 1121.

    >>> sentences("今天很好。 3.5%；走吧")
    ['今天很好。', '走吧']
    """
    return [piece.strip() for piece in _SENTENCES.findall(text) if any(map(str.isalpha, piece))]


def is_endless(text: str) -> bool:
    """Whether more than 1,000 characters follow each other without an end of a sentence."""
    return _ENDLESS.search(text) is not None


def tagged_words(text: str, tagger: Tagger) -> Words:
    """The words of a Chinese text with jieba's tags, table bars taken out.

    Args:
        text: any text.
        tagger: ``jieba`` (0.42.1, the paper's) or ``rjieba``, the same dictionary in Rust, faster and nearly equal.

    Raises:
        UsageError: the package is not installed.
    """
    tagged_words = _tagger(tagger)(without_table_bars(text))
    return Words(forms=[word for word, _ in tagged_words], tags=[tag for _, tag in tagged_words])


def tagger_version(tagger: Tagger) -> str | None:
    """Name and version of the installed package, or None."""
    try:
        return f"{tagger} {version(tagger)}"
    except PackageNotFoundError:
        return None


@cache
def _tagger(tagger: Tagger) -> Any:
    """A function of a text that lists its (word, tag)."""
    if tagger == "rjieba":
        try:
            import rjieba
        except ImportError as error:
            raise UsageError(
                "language: zh with tier: tagged needs the package rjieba: pip install 'winnowry[chinese]', "
                "or use tier: lexical"
            ) from error
        return rjieba.tag
    try:
        import jieba
        import jieba.posseg
    except ImportError as error:
        raise UsageError(
            "language: zh with tier: parsed tags words with the package jieba: "
            "pip install 'winnowry[chinese-parsed]', or give parses (parser: conllu)"
        ) from error
    # Built here rather than by jieba's own start, which would unmarshal a file that anyone may have put into /tmp.
    words = jieba.Tokenizer()
    words.FREQ, words.total = words.gen_pfdict(words.get_dict_file())
    words.initialized = True
    return jieba.posseg.POSTokenizer(words).lcut
