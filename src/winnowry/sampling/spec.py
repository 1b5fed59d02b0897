"""What a recipe says about sampling: ``SampleSpec``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from winnowry.records.kinds import Kind

Method = Literal["cdf", "uniform", "top_k", "threshold", "temperature", "gumbel_top_k", "length_matched"]
Mode = Literal["exact", "paper"]

_SINCE_VERSION_1: dict[str, Any] = {"prefer": "highest", "match": None, "quotas": {}, "weights": {}, "epochs": {},
                                    "fraction": None, "budget": None, "bins": {}}  # fmt: skip
"""Parameters added without a change of results: as long as they have these values a fingerprint leaves them out."""


class Quota(BaseModel):
    """Bounds of a stratum's share of the budget."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: float = Field(default=0.0, ge=0.0, le=1.0, description="smallest share of the budget, 0 to 1")
    at_most: float = Field(default=1.0, ge=0.0, le=1.0, description="largest share of the budget, 0 to 1")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self


Share = Annotated[float, Field(ge=0.0, le=1.0)]

Edge = Annotated[float, Field(allow_inf_nan=False)]


class SampleSpec(BaseModel):
    """Which records to keep, and how much of them: tokens of texts, pixels of images.

    A draw has two halves: *inclusion probabilities* (``method``) and *one draw* from them (``mode``). The draw uses
    permanent random numbers, ``u = hash(record_id, seed)``, so the selection does not depend on the order of rows or
    partitions, and stays almost the same when records are added.

    Source: Ying et al., EMNLP 2025 main 1121 (CDF-GC), and its released code; `mode: exact` is this project's.

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
            "exceed the budget; temperature: probability proportional to exp(standardised score / temperature); "
            "gumbel_top_k: drawn one by one in proportion to exp(score / temperature), the score as it is (DSIR, "
            "QuRating), a record without a score never; length_matched: the same probability for records of about the "
            "same length, lengths distributed as those of the records that `match` would select by `by`, or, without "
            "`by`, as those of the corpus"
        ),
    )
    by: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "score column, see `prefer`; required by every method except uniform, which has none, and length_matched"
        ),
    )
    prefer: Literal["highest", "lowest"] = Field(
        default="highest", description="whether a high score is better, or a low one (bits per byte, perplexity)"
    )
    token_fraction: float | None = Field(
        default=None, gt=0.0, le=1.0, description="budget as a fraction of all tokens of the corpus, in (0, 1]"
    )
    tokens: int | None = Field(default=None, gt=0, description="budget as a number of tokens")
    fraction: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="budget as a fraction of the corpus's size, in the unit of its kind: tokens of texts, pixels of "
        "images; in (0, 1]",
    )
    budget: dict[str, Annotated[int, Field(gt=0)]] | None = Field(
        default=None,
        description="budget in the unit of the corpus's kind, e.g. `{pixels: 1000000}`, `{tokens: 1000000}`, "
        "`{seconds: 3600}`, `{bytes: 1000000}`; or a number of records, `{records: 1000}` (`{images: 1000}` of images)",
    )
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
            "share of the budget that it has of the tokens, unless `quotas` or `weights` say otherwise; a stratum is "
            "named by its values, joined by `|`"
        ),
    )
    bins: dict[str, tuple[Edge, ...]] = Field(
        default_factory=dict,
        description=(
            "edges, ascending, by numeric column of `strata`, which cut its values into ranges; each is a stratum: "
            "with `{aspect: [1.2, 2]}` they are `below 1.2`, `1.2 to 2` and `from 2`"
        ),
    )
    quotas: dict[str, Share | Quota] = Field(
        default_factory=dict,
        description=(
            "share of the budget by stratum, as a number or as bounds ({at_least: …, at_most: …}); the other strata "
            "share the rest. What a stratum cannot fill goes to strata without a share of their own, and is reported "
            "as unfilled where there is none"
        ),
    )
    weights: dict[str, Annotated[float, Field(ge=0.0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="factor on the natural share of a stratum; above 1 samples it up, below 1 down (1 where not named)",
    )
    epochs: dict[str, Annotated[float, Field(ge=1.0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description=(
            "how often the records of a stratum may be repeated to fill its share (1 where not named); the column "
            "`repeats` says how often each is"
        ),
    )
    threshold: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="method threshold: the lowest score that is kept; with prefer: lowest the highest",
    )
    temperature: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description=(
            "methods temperature and gumbel_top_k (there 1 if not given; QuRating: 2): near 0 approaches top_k, large "
            "approaches uniform"
        ),
    )
    match: Literal["cdf", "top_k"] | None = Field(
        default=None,
        description="method length_matched with by: whose lengths are matched (cdf if not given), at the same budget",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._budget_problems(), *self._method_problems(), *self._mixture_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _budget_problems(self) -> list[str]:
        names = ("fraction", "budget", "token_fraction", "tokens")
        declared = [name for name in names if getattr(self, name) is not None]
        if len(declared) != 1:
            return [f"give exactly one of {', '.join(names[:-1])} and {names[-1]} (got {_listed(declared)})"]
        if self.budget is not None and len(self.budget) != 1:
            return [f"budget is one number in one unit, e.g. {{pixels: 1000000}}; got {_listed(list(self.budget))}"]
        return []

    def _method_problems(self) -> list[str]:
        problems = []
        if self.method == "uniform" and self.by is not None:
            problems.append(f"method uniform looks at no score: remove by: {self.by}")
        if self.method not in ("uniform", "length_matched") and self.by is None:
            problems.append(f"method {self.method} needs by: the name of a score column")
        for name, users in (("threshold", ("threshold",)), ("temperature", ("temperature", "gumbel_top_k"))):
            value = getattr(self, name)
            if self.method == name and value is None:
                problems.append(f"method {name} needs {name}: a number")
            if self.method not in users and value is not None:
                problems.append(f"{name} is only used by method {' and '.join(users)}, not {self.method}: remove it")
        if self.match is not None and (self.method != "length_matched" or self.by is None):
            problems.append("match is only used by method length_matched together with by: remove it")
        if not self._ranks_by_cdf and "hard_fraction" in self.model_fields_set:
            problems.append(f"hard_fraction is only used by method cdf, not {self.method}: remove it")
        if self.by is None and self.prefer == "lowest":
            problems.append("prefer needs by: the name of a score column")
        if self.mode == "paper" and self.method != "cdf":
            problems.append(f"mode paper is only defined for method cdf, not {self.method}: use mode: exact")
        return problems

    def _mixture_problems(self) -> list[str]:
        mixing = [name for name in ("quotas", "weights", "epochs") if getattr(self, name)]
        problems = []
        if len(set(self.strata)) != len(self.strata):
            problems.append(f"strata names a column twice: {list(self.strata)}")
        if mixing and not self.strata:
            problems.append(f"{' and '.join(mixing)} need strata: the columns that name the strata")
        if mixing and self.mode == "paper":
            problems.append(f"mode paper has no {' or '.join(mixing)}: use mode: exact")
        for name, edges in self.bins.items():
            if name not in self.strata:
                problems.append(f"bins cuts {name}, which strata does not name")
            if not edges or list(edges) != sorted(set(edges)):
                problems.append(f"bins.{name} is {list(edges)}; expected numbers that ascend")
        floors = sum(self.bounds(name)[0] for name in self.quotas)
        if floors > 1.0 + 1e-9:
            problems.append(f"quotas add up to {floors:g} of the budget; they must not exceed 1")
        return problems

    @property
    def _ranks_by_cdf(self) -> bool:
        return self.method == "cdf" or (
            self.method == "length_matched" and self.by is not None and self.match in (None, "cdf")
        )

    def bounds(self, stratum: str) -> tuple[float, float]:
        """Smallest and largest share of the budget of a stratum.

        >>> SampleSpec(by="gc", tokens=9, strata=("source",), quotas={"news": 0.5}).bounds("news")
        (0.5, 0.5)
        """
        quota = self.quotas.get(stratum, Quota())
        return (quota.at_least, quota.at_most) if isinstance(quota, Quota) else (quota, quota)

    @property
    def size_fraction(self) -> float | None:
        """Budget as a fraction of the corpus's size; None where it is a number."""
        return self.token_fraction if self.token_fraction is not None else self.fraction

    @property
    def unit(self) -> str | None:
        """The unit that the budget names; None for a fraction of whatever the corpus is counted in."""
        if self.budget is not None:
            return next(iter(self.budget))
        return "tokens" if self.fraction is None else None

    @property
    def unit_option(self) -> str:
        """The option that gives the budget."""
        return next(name for name in ("fraction", "budget", "token_fraction", "tokens") if getattr(self, name))

    def counts_records(self, kind: Kind) -> bool:
        """Whether the budget is a number of records, not of what their size is counted in."""
        return self.unit == "records" or (self.unit == "images" and kind.name == "image")

    def drawn_unit(self, kind: Kind) -> tuple[str, int]:
        """What is counted in a draw, and how much of the counted sizes one of it is.

        >>> from winnowry.records.kinds import kind_named
        >>> SampleSpec(method="uniform", fraction=0.5).drawn_unit(kind_named("audio"))
        ('seconds', 1000)
        >>> SampleSpec(method="uniform", budget={"records": 5}).drawn_unit(kind_named("audio"))
        ('records', 1)
        """
        if self.counts_records(kind):
            return str(self.unit), 1
        return kind.unit, kind.sizes_per_unit

    def budget_of(self, total: int, capacity: int | None = None) -> int:
        """How much to select of a corpus, in its unit of size, never more than there is.

        Args:
            total: size of the corpus, of which ``fraction`` and ``token_fraction`` are fractions.
            capacity: size with all repetitions that ``epochs`` allow; None: ``total``.

        >>> SampleSpec(by="gc", token_fraction=0.2).budget_of(999)
        199
        >>> SampleSpec(method="uniform", budget={"pixels": 500}).budget_of(999)
        500
        """
        if self.size_fraction is not None:
            return min(int(total * self.size_fraction), total)
        number = self.tokens if self.budget is None else next(iter(self.budget.values()))
        assert number is not None
        return min(number, total if capacity is None else capacity)

    def in_stored_sizes(self, sizes_per_unit: int) -> SampleSpec:
        """The same budget in what the size column counts, e.g. milliseconds for seconds."""
        if self.budget is None or sizes_per_unit == 1:
            return self
        return self.model_copy(update={"budget": {unit: n * sizes_per_unit for unit, n in self.budget.items()}})

    def fingerprint(self) -> dict[str, Any]:
        """What identifies a selection made with this specification, besides its input: parameters and version."""
        parameters = self.model_dump(mode="json")
        stored = {name: value for name, value in parameters.items() if _SINCE_VERSION_1.get(name, ...) != value}
        return {**stored, "version": self.VERSION}


def _listed(names: list[str]) -> str:
    return " and ".join(names) or "none"
