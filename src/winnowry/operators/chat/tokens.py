"""``chat.tokens`` and ``chat.render``: conversations as a chat template lays them out."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT
from winnowry.operators.chat.columns import TURNS_FIELD
from winnowry.operators.chat.template_facts import Piece, SystemNotSupportedError, TemplateName, pieces
from winnowry.operators.scoring.token_count import TokenizerName, count_tokens

_TOOLS = pa.field("tools", TEXT)
_TEMPLATE = "layout of the turns: `chatml`, `qwen2.5`, `qwen3`, `llama3`, `gemma`, `gemma3`, `phi3` or `phi3.5`"


class ChatTokens(Operator):
    """Count the tokens of a conversation as a chat template lays it out, and those that a model is trained on.

    Trained are the contents of assistant turns with the token that ends them, unless their weight is 0. Contents are
    plain text: a control token that somebody spells there is characters, not a turn.

    Writes ``chat_tokens``, ``chat_trained_tokens``, and ``chat_trained_after``: those among the first `max_length`
    tokens. Null for a conversation that the template has no place for (a system turn in Gemma's), which
    no rule refuses.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["chat.tokens"] = "chat.tokens"
    template: TemplateName = Field(default="chatml", description=_TEMPLATE)
    tokenizer: TokenizerName = Field(default="qwen", description="whose tokens, see `score.token_count`")
    max_length: int | None = Field(
        default=None, ge=1, description="tokens after which a conversation is cut in training; unset: never"
    )
    min_trained_after: int | None = Field(
        default=1,
        ge=0,
        description="fewest tokens to train on that are left; with none the loss is 0 and no trainer says so",
    )

    PREFIX: ClassVar[str] = "chat"

    def _name(self, column: str) -> str:
        return f"{self.as_ or self.PREFIX}_{column}"

    def reads(self) -> pa.Schema:
        """``turns`` and ``tools``."""
        return pa.schema([TURNS_FIELD, _TOOLS])

    def writes(self) -> pa.Schema:
        """Three counts."""
        names = ("tokens", "trained_tokens", "trained_after")
        return pa.schema([pa.field(self._name(name), pa.int64()) for name in names])

    def rules(self) -> tuple[Rule, ...]:
        """Something is left to train on."""
        if self.min_trained_after is None:
            return ()
        return (
            Rule(
                name="min_trained_after",
                column=self._name("trained_after"),
                comparison=">=",
                threshold=self.min_trained_after,
                null="keep",
            ),
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count the tokens of n conversations."""
        rows: list[tuple[int | None, ...]] = []
        for turns, tools in zip(batch.column("turns").to_pylist(), batch.column("tools").to_pylist(), strict=True):
            try:
                rows.append((None,) * 3 if turns is None else self._counts(pieces(turns, self.template, tools)))
            except SystemNotSupportedError:
                rows.append((None,) * 3)
        columns = list(zip(*rows, strict=True)) or [()] * 3
        return pa.RecordBatch.from_arrays([pa.array(values, pa.int64()) for values in columns], schema=self.writes())

    def _counts(self, laid: list[Piece]) -> tuple[int, int, int]:
        """All tokens, trained ones, and trained ones that are left after a cut."""
        at = trained = after = 0
        plain = ""  # text up to the next special token is encoded as a whole
        for piece in laid:
            if piece.special:
                n = 1
                at += count_tokens(plain, self.tokenizer)
                plain = ""
            elif piece.trained:
                at += _of_frame(plain, self.tokenizer)
                n = count_tokens(plain + piece.text, self.tokenizer) - _of_frame(plain, self.tokenizer)
                plain = ""
            else:
                plain += piece.text
                continue
            if piece.trained:
                trained += n
                after += (
                    n if self.max_length is None else max(0, min(at + n, self.max_length) - min(at, self.max_length))
                )
            at += n
        return at + count_tokens(plain, self.tokenizer), trained, after


@lru_cache(maxsize=64)
def _of_frame(text: str, tokenizer: TokenizerName) -> int:
    return count_tokens(text, tokenizer)


class ChatRender(Operator):
    """Replace the text of a conversation by its rendering in a chat template, as it is trained on.

    Text operators, token counts and duplicate keys behind it see the whole text. Contents stay as they are: a control
    token that somebody spells there looks like the template's own, see ``chat.structure``.

    Writes ``text`` (or the column of ``as``), and ``chat_render_error``: why a conversation keeps its text, such as a
    system turn, for which Gemma's template has no place.
    """

    op: Literal["chat.render"] = "chat.render"
    template: TemplateName = Field(default="chatml", description=_TEMPLATE)
    renders: bool = Field(default=True, description="whether only conversations are kept that the template renders")

    def reads(self) -> pa.Schema:
        """``text``, ``turns`` and ``tools``."""
        return pa.schema([pa.field("text", TEXT), TURNS_FIELD, _TOOLS])

    def writes(self) -> pa.Schema:
        """The rendering, and why there is none."""
        return pa.schema(
            [pa.field(self.as_ or "text", TEXT), pa.field(f"{self.as_ or 'chat'}_render_error", pa.string())]
        )

    def rules(self) -> tuple[Rule, ...]:
        """It was rendered."""
        column = self.writes().names[1]
        return (
            (Rule(name="renders", column=column, comparison="==", threshold="", null="keep"),) if self.renders else ()
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Render n conversations."""
        texts: list[str | None] = []
        errors: list[str | None] = []
        for text, turns, tools in zip(*(batch.column(name).to_pylist() for name in self.reads().names), strict=True):
            error = None
            try:
                laid = None if turns is None else "".join(one.text for one in pieces(turns, self.template, tools))
            except SystemNotSupportedError as refused:
                laid, error = None, str(refused)
            texts.append(text if laid is None else laid)
            errors.append(error)
        arrays = [pa.array(texts, TEXT), pa.array(errors, pa.string())]
        return pa.RecordBatch.from_arrays(arrays, schema=self.writes())
