"""How a selection is proven: ``comparison`` of a recipe."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from winnowry.recipe.base import GrowingPart, RecipePart
from winnowry.recipe.place import Place

Arm = Literal[
    "random",
    "length_matched",
    "full",
    "bits_per_byte",
    "dsir",
    "gc_paper",
    "gc_length_controlled",
    "recipe",
]
ARMS: tuple[Arm, ...] = (
    "random", "length_matched", "full", "bits_per_byte", "dsir", "gc_paper", "gc_length_controlled", "recipe",
)  # fmt: skip
TARGETED = frozenset({"bits_per_byte", "dsir"})
"""Arms that need to know what the corpus should be good at."""


class TextSet(RecipePart):
    """Documents beside the corpus, one a record: a target, or what a proxy is evaluated on."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="what the results call it")
    uri: Annotated[str, Place] = Field(
        description="glob of JSONL (.gz, .zst), Parquet or text files; relative ones start at the root"
    )
    text: str = Field(default="text", description="field with the text; of text files the whole file is one document")


class Questions(RecipePart):
    """Multiple-choice questions: a proxy's answer is the choice that makes question and choice the likeliest text."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="what the results call it")
    uri: Annotated[str, Place] = Field(
        description="glob of JSONL (.gz, .zst) or Parquet files; relative ones start at the root"
    )
    question: str = Field(default="question", description="field with the question")
    choices: str = Field(default="choices", description="field with the list of choices, two or more texts")
    answer: str = Field(
        default="answer", description="field with the right one: its letter (A is the first), place (0 is) or text"
    )


class Holdout(RecipePart):
    """The newest records: no arm may select them, every proxy is evaluated on them."""

    newest_fraction: float | None = Field(
        default=None, gt=0, lt=1, description="share of tokens, by event time, 0 to 1; 0.1 where neither is given"
    )
    since: str | None = Field(default=None, description="records from this event time on (ISO 8601)")

    @model_validator(mode="after")
    def _one(self) -> Holdout:
        if self.newest_fraction is not None and self.since is not None:
            raise ValueError("give `newest_fraction` or `since`, not both")
        return self


class NgramProxy(RecipePart):
    """An interpolated Kneser-Ney n-gram model: minutes on a CPU."""

    kind: Literal["ngram"] = Field(default="ngram", description="n-gram model")
    order: int = Field(default=3, ge=1, le=5, description="longest n-gram, in tokens")


class TransformerProxy(RecipePart):
    """A small causal transformer (extra ``winnowry[torch]``), on a GPU where there is one."""

    kind: Literal["transformer"] = Field(description="causal transformer")
    layers: int = Field(default=4, ge=1, description="blocks")
    width: int = Field(default=256, ge=16, description="size of the hidden state")
    heads: int = Field(default=4, ge=1, description="attention heads; must divide the width")
    context: int = Field(default=256, ge=16, description="tokens of a training sequence")
    batch: int = Field(default=32, ge=1, description="sequences of a step")
    learning_rate: float = Field(default=1e-3, gt=0, description="peak of the cosine schedule")
    vocabulary: int = Field(default=8192, ge=256, description="most frequent tokens; others are split to bytes")

    @model_validator(mode="after")
    def _divides(self) -> TransformerProxy:
        if self.width % self.heads:
            raise ValueError(f"`heads: {self.heads}` does not divide `width: {self.width}`")
        return self


Proxy = Annotated[NgramProxy | TransformerProxy, Field(discriminator="kind")]


class Comparison(GrowingPart):
    """Arms that select with the same token budget, a proxy trained on each selection, and what it is evaluated on."""

    target: TextSet | None = Field(
        default=None, description="what the corpus should be good at; half trains the positive control, half evaluates"
    )
    evaluations: tuple[TextSet, ...] = Field(default=(), description="evaluation sets beside target and hold-out")
    questions: tuple[Questions, ...] | None = Field(
        default=None, min_length=1, description="multiple-choice questions; what beats no chance decides nothing"
    )
    holdout: Holdout = Field(default_factory=Holdout, description="the newest records, kept from every arm")
    arms: tuple[Arm, ...] = Field(default=ARMS, min_length=1, description="what is compared")
    token_fraction: float | None = Field(
        default=None, gt=0, le=1, description="budget of every arm; the recipe's own where not given"
    )
    seeds: int = Field(default=5, ge=2, description="repetitions of every arm, each on its own draw of the pool")
    fractions: tuple[float, ...] = Field(
        default=(0.05, 0.1, 0.2, 0.4, 0.7, 1.0), description="dose-response: budgets; empty: not measured"
    )
    attribution: bool = Field(default=True, description="drop each component of the score, and each source, in turn")
    proxy: Proxy = Field(default_factory=NgramProxy, description="what is trained on each selection")
    pool_tokens: int = Field(
        default=20_000_000, ge=1000, description="a larger corpus is represented by a draw of so many tokens"
    )
    evaluation_tokens: int = Field(default=500_000, ge=100, description="of each evaluation set at most so many tokens")
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of the draws")

    _LATER: ClassVar[frozenset[str]] = frozenset({"questions"})

    @model_validator(mode="after")
    def _consistent(self) -> Comparison:
        problems = []
        sets: tuple[TextSet | Questions, ...] = (
            *([self.target] if self.target else []),
            *self.evaluations,
            *(self.questions or ()),
        )
        names = ["holdout", *(item.name for item in sets)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(f"two evaluations are named {', '.join(twice)} (`holdout` is taken)")
        if any(not 0 < fraction <= 1 for fraction in self.fractions):
            problems.append(f"fractions must lie in (0, 1]: {list(self.fractions)}")
        if self.target is None and "arms" in self.model_fields_set and TARGETED & set(self.arms):
            problems.append(f"arms {', '.join(sorted(TARGETED & set(self.arms)))} need a `target`")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def compared(self) -> tuple[Arm, ...]:
        """The arms, without those that need a target where there is none."""
        return tuple(arm for arm in self.arms if self.target is not None or arm not in TARGETED)
