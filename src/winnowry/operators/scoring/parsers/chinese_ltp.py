"""Chinese parses by LTP, the paper's parser, where the user has installed it and its model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.operators.scoring.parsers.base import Parse, Sentence
from winnowry.operators.scoring.parsers.chinese_words import is_endless, sentences, tagged_words

BATCH_SENTENCES = 32


class LtpChinese:
    """Parses Chinese with LTP, tasks cws and dep, 32 sentences at once; words and tags are jieba's, as in the paper.

    No wheel brings LTP's model: it is read from a folder, never downloaded.

    Args:
        model: folder of an LTP 4 model (the paper's is LTP/small), or its name in the local cache of the hub.

    Source: the released code of Ying et al., EMNLP 2025 main 1121.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Parse n Chinese texts.

        Raises:
            UsageError: LTP or its model is not there.
        """
        ltp = _ltp(self._model)
        return [Parse(_sentences(ltp, text), tagged_words(text, "jieba"), cut=is_endless(text)) for text in texts]


def ltp_version(model: str) -> str | None:
    """Versions of LTP and jieba and the model's name, or None where they are not installed."""
    try:
        return f"ltp {version('ltp')} {model}, jieba {version('jieba')}"
    except PackageNotFoundError:
        return None


def _sentences(ltp: Any, text: str) -> list[Sentence]:
    parsed: list[Sentence] = []
    pieces = sentences(text)
    for start in range(0, len(pieces), BATCH_SENTENCES):
        outputs = ltp.pipeline(pieces[start : start + BATCH_SENTENCES], tasks=["cws", "dep"])
        for forms, tree in zip(outputs.cws, outputs.dep, strict=True):
            blank = [""] * len(forms)
            parsed.append(Sentence(forms, blank, blank, tree["head"], tree["label"]))
    return parsed


@cache
def _ltp(model: str) -> Any:
    try:
        from ltp import LTP
    except ImportError as error:
        raise UsageError(
            "parser: ltp needs the package ltp (with torch), which is no extra of winnowry: pip install ltp jieba, "
            "and the folder of an LTP model as `ltp_model`; or use parser: udpipe"
        ) from error
    try:
        return LTP(model, local_files_only=True)
    except OSError as error:
        raise UsageError(
            f"no LTP model at {model!r}: download the paper's (LTP/small) to a folder and name it as `ltp_model`"
        ) from error
