"""What a recipe says about sampling: ``SampleSpec``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["cdf", "uniform", "top_k", "threshold", "temperature"]
Mode = Literal["exact", "paper"]


class SampleSpec(BaseModel):
    """Which records to keep, and how many tokens of them.

    A draw has two halves: *inclusion probabilities* (``method``) and *one draw* from them (``mode``). The draw uses
    permanent random numbers, ``u = hash(record_id, seed)``, so the selection does not depend on the order of rows or
    partitions, and stays almost the same when records are added.

    Source: Ying et al., EMNLP 2025 main 1121 (CDF-GC); CURATION-SPEC §1.3 and §1.7.

    >>> SampleSpec(by="gc", token_fraction=0.2, seed=7).method
    'cdf'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    VERSION: ClassVar[int] = 1
    """Raised whenever the same specification and input would give another selection."""

    method: Method = Field(
        default="cdf",
        description=(
            "cdf: probability rises linearly with the token-weighted rank of the score, the top `hard_fraction` of "
            "the budget is kept for sure; uniform: the same probability for every record; top_k: highest scores "
            "until the budget is full; threshold: records whose score is at least `threshold`, uniformly if they "
            "exceed the budget; temperature: probability proportional to exp(standardised score / temperature)"
        ),
    )
    by: str | None = Field(
        default=None,
        min_length=1,
        description="score column, higher is better; required by every method except uniform, which has none",
    )
    token_fraction: float | None = Field(
        default=None, gt=0.0, le=1.0, description="budget as a fraction of all tokens of the corpus, in (0, 1]"
    )
    tokens: int | None = Field(default=None, gt=0, description="budget as a number of tokens")
    hard_fraction: float = Field(
        default=0.4,
        ge=0.0,
        le=1.0,
        description="method cdf: share of the budget given to the highest scores with probability 1 (paper: 0.4)",
    )
    mode: Mode = Field(
        default="exact",
        description=(
            "exact: the budget is met to within one record; paper: the released CDF-GC procedure, independent "
            "Bernoulli draws, whose realised size varies (method cdf only)"
        ),
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of the permanent random numbers")
    strata: tuple[str, ...] = Field(
        default=(),
        description=(
            "columns (e.g. source, language) whose combinations are sampled each on its own; every stratum gets the "
            "share of the budget that it has of the tokens"
        ),
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="method threshold: the lowest score that is kept"
    )
    temperature: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description="method temperature: near 0 approaches top_k, large approaches uniform",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if (self.token_fraction is None) == (self.tokens is None):
            given = "both" if self.tokens is not None else "neither"
            problems.append(f"give exactly one of token_fraction and tokens ({given} given)")
        if self.method == "uniform" and self.by is not None:
            problems.append(f"method uniform looks at no score: remove by: {self.by}")
        if self.method != "uniform" and self.by is None:
            problems.append(f"method {self.method} needs by: the name of a score column")
        for name in ("threshold", "temperature"):
            value = getattr(self, name)
            if self.method == name and value is None:
                problems.append(f"method {name} needs {name}: a number")
            if self.method != name and value is not None:
                problems.append(f"{name} is only used by method {name}, not {self.method}: remove it")
        if self.method != "cdf" and "hard_fraction" in self.model_fields_set:
            problems.append(f"hard_fraction is only used by method cdf, not {self.method}: remove it")
        if self.mode == "paper" and self.method != "cdf":
            problems.append(f"mode paper is only defined for method cdf, not {self.method}: use mode: exact")
        if len(set(self.strata)) != len(self.strata):
            problems.append(f"strata names a column twice: {list(self.strata)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def budget(self, total_tokens: int) -> int:
        """Tokens to select from a corpus of ``total_tokens`` tokens, never more than there are.

        >>> SampleSpec(by="gc", token_fraction=0.2).budget(999)
        199
        """
        if self.tokens is not None:
            return min(self.tokens, total_tokens)
        assert self.token_fraction is not None
        return min(int(total_tokens * self.token_fraction), total_tokens)

    def fingerprint(self) -> dict[str, Any]:
        """What identifies a selection made with this specification, besides its input: parameters and version."""
        return {**self.model_dump(mode="json"), "version": self.VERSION}
