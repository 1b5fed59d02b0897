"""``score.grammatical_complexity``: how rich the words and how involved the sentences of a text are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import FittedOperator
from winnowry.operators.buffers import as_text
from winnowry.operators.scoring.cascade import Cascade, fit_cascade, in_band, mapped
from winnowry.operators.scoring.chinese import chinese_tagged_components
from winnowry.operators.scoring.combination import combine_components, fit_components
from winnowry.operators.scoring.lexical import lexical_components
from winnowry.operators.scoring.parsers.chinese_words import tagger_version as chinese_tagger_version
from winnowry.operators.scoring.parsers.choice import LANGUAGE_OF, ParserName, parser_of, parser_version
from winnowry.operators.scoring.plain_text import decoded
from winnowry.operators.scoring.statistics import Normalise
from winnowry.operators.scoring.tagged import tagged_components, tagger_version
from winnowry.operators.scoring.trees import PARSED_COMPONENTS, TagSet, flag_names, flatten, parsed_components

Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

COMPONENTS = ("con_ent", "pos_ent", "sent_len")
FIT_VERSION = 1
WINDOW_WORDS = 200
_GROUP_TEXTS, _GROUP_CHARACTERS = 256, 1_000_000


class ComponentWeights(BaseModel):
    """Weight of each component; they are divided by the sum of those that could be measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    con_ent: float = Field(default=1.0, ge=0.0, allow_inf_nan=False, description="weight of lexical diversity")
    pos_ent: float = Field(default=1.0, ge=0.0, allow_inf_nan=False, description="weight of grammatical diversity")
    sent_len: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="weight of sentence length (tiers lexical and tagged)"
    )
    dep_ent: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="weight of the diversity of dependencies (tier parsed)"
    )
    avg_dep_height: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="weight of the height of trees (tier parsed)"
    )
    avg_dep_dis: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="weight of the distance of dependencies (tier parsed)"
    )


class GrammaticalComplexity(FittedOperator):
    """Grammatical complexity of English or Chinese text: higher is more complex, 0 to 1.

    Components, each on a common scale, then their weighted mean:

    * ``con_ent``: entropy in bits of the surface forms of content words (lexical diversity);
    * ``pos_ent``: entropy in bits of part-of-speech tags or, in tier lexical, their stand-in, of function words;
    * ``sent_len`` (tiers lexical and tagged): natural log of the mean sentence length in words;
    * ``dep_ent`` (tier parsed): entropy in bits of dependency labels;
    * ``avg_dep_height`` (tier parsed): mean height of the dependency trees, in edges;
    * ``avg_dep_dis`` (tier parsed): mean distance between a token and its head, in tokens.

    Tier parsed has the five components of CDF-GC, the others those that need no parser. A component that cannot be
    measured is left out, the weights of the others are scaled up, and ``<as>_partial`` is true. A text without any
    word, or a null, has a null score. Scores are never NaN.

    ``mode: paper`` is the paper's form: the five components, ``normalise: minmax, length_control: none``. The defaults
    differ because of what was measured: one outlier shifts every min-max score, and entropy
    grows with length, so the highest scores are largely the longest texts (§1.6 (5), docs/reference/scores.md).

    Writes ``<as>`` (double), each component as ``<as>_<component>`` (double, un-normalised), ``<as>_partial`` (bool);
    in tier parsed also ``<as>_flag`` (string, null where nothing is odd; the reasons joined by commas), and with
    ``cascade`` ``<as>_lite`` (double, the parser-free score) and ``<as>_parsed`` (bool; components of the other rows
    are null, their score is the parser-free one mapped).

    Source: Ying et al., EMNLP 2025 main 1121, and its released code.
    """

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["score.grammatical_complexity"] = "score.grammatical_complexity"
    as_: str = Field(
        default="gc", alias="as", min_length=1, description="name of the score column and prefix of the others"
    )
    mode: Literal["standard", "paper"] = Field(
        default="standard",
        description="paper: the released formulas (sets tier parsed, normalise minmax, length_control none)",
    )
    tier: Literal["lexical", "tagged", "parsed"] = Field(
        default="lexical",
        description=(
            "lexical: counts of words, no model; tagged: part-of-speech tags by spaCy (extra winnowry[tagged]) or, for "
            "Chinese, jieba (winnowry[chinese]); parsed: dependency trees (winnowry[parsed], winnowry[chinese-parsed])"
        ),
    )
    language: Literal["en", "zh"] = Field(
        default="en", description="language of the text; tier lexical has no pos_ent for zh"
    )
    parser: ParserName | None = Field(
        default=None,
        description=(
            "tier parsed: spacy (en), udpipe or ltp (zh), conllu (parses given in a column); default spacy for en, "
            "udpipe for zh"
        ),
    )
    conllu_column: str | None = Field(
        default=None, min_length=1, description="parser conllu: the column with CoNLL-U; default conllu"
    )
    tag_set: TagSet | None = Field(
        default=None,
        description=(
            "parser conllu: which tags pos_ent counts and what a content word is: penn or jieba (column XPOS), upos; "
            "default penn for en, upos for zh"
        ),
    )
    ltp_model: str = Field(default="LTP/small", min_length=1, description="parser ltp: folder of the model")
    normalise: Normalise = Field(
        default="robust",
        description="scale of the components: minmax (paper), rank, or robust (1st to 99th percentile of the pool)",
    )
    length_control: Literal["none", "residual", "fixed_window"] = Field(
        default="residual",
        description=(
            "residual: components count as what they exceed the pool's expectation at that number of words; "
            "fixed_window: entropies are means over windows of 200 words; "
            "none: as measured (paper), where a high score is largely a long text"
        ),
    )
    weights: ComponentWeights = Field(default=ComponentWeights(), description="weights of the components")
    cascade: Cascade | None = Field(
        default=None, description="tier parsed: parse only rows near the decision boundary (default: parse all)"
    )

    @model_validator(mode="before")
    @classmethod
    def _paper_form(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("mode") == "paper":
            return {"tier": "parsed", "normalise": "minmax", "length_control": "none", **values}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong: list[str] = []
        if self.mode == "paper":
            form = {"tier": "parsed", "normalise": "minmax", "length_control": "none", "cascade": None}
            wrong += [
                f"mode: paper has {name}: {value or 'null'}, not {getattr(self, name)}"
                for name, value in form.items()
                if getattr(self, name) != value
            ]
        if self.tier != "parsed":
            wrong += [f"{name} is for tier: parsed" for name in ("parser", "cascade") if getattr(self, name)]
        if self.parser_name != "conllu":
            wrong += [f"{name} is for parser: conllu" for name in ("conllu_column", "tag_set") if getattr(self, name)]
        if self.cascade is not None and self.parser == "conllu":
            wrong.append("cascade saves parsing; parses given in a column (parser: conllu) need none")
        language = LANGUAGE_OF.get(self.parser or "", self.language)
        if language != self.language:
            wrong.append(f"parser {self.parser} is for language: {language}, not {self.language}")
        unknown = set(ComponentWeights.model_fields) - set(self._names)
        wrong += [
            f"tier {self.tier} has no component {name} to weigh; it has {', '.join(self._names)}"
            for name in sorted(unknown)
            if getattr(self.weights, name) != 1.0
        ]
        if not any(getattr(self.weights, name) > 0.0 for name in self._names):
            wrong.append("all weights are 0; give at least one component a weight above 0")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def parser_name(self) -> ParserName | None:
        """The parser of tier parsed; None in other tiers."""
        if self.tier != "parsed":
            return None
        return self.parser or ("spacy" if self.language == "en" else "udpipe")

    def reads(self) -> pa.Schema:
        """The text, or the column with its parse."""
        return pa.schema([pa.field(self._input, pa.large_string())])

    def writes(self) -> pa.Schema:
        """The score, its components as measured, and whether one is missing."""
        doubles = [pa.field(name, pa.float64()) for name in (self.as_, *self._component_names())]
        fields = [*doubles, pa.field(f"{self.as_}_partial", pa.bool_(), nullable=False)]
        if self.tier == "parsed":
            fields.append(pa.field(f"{self.as_}_flag", pa.string()))
        if self.cascade is not None:
            fields.append(pa.field(f"{self.as_}_lite", pa.float64()))
            fields.append(pa.field(f"{self.as_}_parsed", pa.bool_(), nullable=False))
        return pa.schema(fields)

    def components(self) -> pa.Schema:
        """The components as measured and the number of words; with a cascade also those of the parser-free tier."""
        names = (*self._component_names(), f"{self.as_}_n_words")
        fields = [pa.field(name, pa.float64()) for name in names]
        if self.tier == "parsed":
            fields.append(pa.field(f"{self.as_}_flag", pa.string()))
        if self.cascade is not None:
            fields += list(self.lite().components())
        return pa.schema(fields)

    def lite(self) -> GrammaticalComplexity:
        """The parser-free form that a cascade scores every row with: lexical for en, tagged for zh."""
        return GrammaticalComplexity.model_validate(
            {
                "as": f"{self.as_}_lite",
                "tier": "lexical" if self.language == "en" else "tagged",
                "language": self.language,
                "normalise": self.normalise,
                "length_control": self.length_control,
            }
        )

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts.

        Raises:
            ImportError: tier tagged without the extra ``tagged``.
            UsageError: tier parsed, or tagged for Chinese, without its extra, or a model that is not the pinned one.
        """
        if self.tier != "parsed":
            return pa.record_batch([_nullable(column) for column in self._counted(batch).T], schema=self.components())
        measured, flags = self._parsed(batch.column(self._input))
        columns = [*(_nullable(column) for column in measured.T), pa.array(flags, pa.string())]
        if self.cascade is not None:
            columns += self.lite().measure(batch).columns
        return pa.record_batch(columns, schema=self.components())

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Summarise the components of a reference pool; the order of its rows does not matter.

        Args:
            components: n rows of :meth:`measure`.

        Returns:
            A JSON object: ``version``, ``tier``, ``tagger`` or ``parser``, ``length_control``, ``n_rows``,
            ``log_words`` (range of the log of the number of words) and for each component ``length_coefficients`` and
            ``values`` (count, mean, standard deviation, range, percentiles and quantiles, after length control); with
            a cascade also ``lite`` (the same of the parser-free tier) and ``cascade`` (band and mapping). A pool
            without a single word gives empty statistics, with which no text has a score.
        """
        measured = self._columns(components)
        residual = self.length_control == "residual"
        fitted = {
            **self._form(),
            "tagger": self._tagger_version(),
            **fit_components(self._names, measured[:, :-1], measured[:, -1], residual=residual),
        }
        if self.cascade is None:
            return fitted
        lite = self.lite()
        fitted["lite"] = lite.fit(components)
        fitted["cascade"] = fit_cascade(
            lite.scores(components, fitted["lite"]),
            self.scores(components, fitted),
            np.nan_to_num(lite._columns(components)[:, -1]),
            self.cascade.band,
        )
        return fitted

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Score n texts with frozen statistics.

        Raises:
            UsageError: the statistics were fitted with another version, tier, parser or length control.
        """
        if self.cascade is None:
            return self.combine(self.measure(batch), fit)
        self._check(fit)
        lite = self.lite()
        measured = lite.measure(batch)
        score = lite.scores(measured, fit["lite"])
        chosen = np.flatnonzero(in_band(score, fit["cascade"]))
        components, flags = self._parsed(batch.column(self._input).take(pa.array(chosen)))
        everywhere = np.full((batch.num_rows, components.shape[1]), np.nan)
        everywhere[chosen] = components
        flagged: list[str | None] = [None] * batch.num_rows
        for row, flag in zip(chosen.tolist(), flags, strict=True):
            flagged[row] = flag
        return self._written(everywhere, flagged, fit, (score, lite._partial(measured)))

    def combine(self, components: pa.RecordBatch | pa.Table, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Scores from components that were measured before.

        Args:
            components: n rows of :meth:`measure`; a null component is one that could not be measured.
            fit: what :meth:`fit` returned.

        Returns:
            n rows of :meth:`writes`; with a cascade, what :meth:`apply_fitted` gives for the same texts.

        Raises:
            UsageError: the statistics were fitted with another version, tier, parser or length control.
        """
        self._check(fit)
        flags = components.column(f"{self.as_}_flag").to_pylist() if self.tier == "parsed" else []
        measured = self._columns(components)
        if self.cascade is None:
            return self._written(measured, flags, fit, None)
        lite = self.lite()
        score = lite.scores(components, fit["lite"])
        left_out = ~in_band(score, fit["cascade"])
        measured[left_out] = np.nan
        stored_flags = [None if out else flag for out, flag in zip(left_out.tolist(), flags, strict=True)]
        return self._written(measured, stored_flags, fit, (score, lite._partial(components)))

    def scores(self, components: pa.RecordBatch | pa.Table, fit: Mapping[str, Any]) -> Float64s:
        """The weighted mean of the normalised components of n rows, as if all were measured; NaN where there is none.

        Raises:
            UsageError: the statistics were fitted with another version, tier, parser or length control.
        """
        self._check(fit)
        return self._score(self._columns(components), fit)

    def fingerprint(self) -> dict[str, Any]:
        """Name, version and parameters, and what tags and parses: versions of packages, hashes of models."""
        parameters = super().fingerprint()
        if self.parser_name is not None:
            parameters["parser_version"] = parser_version(self.parser_name, self.ltp_model)
        if self.cascade is not None and self.language == "zh":
            parameters["tagger"] = self.lite()._tagger_version()
        return {**parameters, "tagger": self._tagger_version()} if self.tier == "tagged" else parameters

    @property
    def _names(self) -> tuple[str, ...]:
        return PARSED_COMPONENTS if self.tier == "parsed" else COMPONENTS

    @property
    def _input(self) -> str:
        return (self.conllu_column or "conllu") if self.parser_name == "conllu" else "text"

    @property
    def _tags(self) -> TagSet:
        if self.parser_name == "conllu":
            return self.tag_set or ("penn" if self.language == "en" else "upos")
        return "penn" if self.language == "en" else "jieba"

    @property
    def _window(self) -> int:
        return WINDOW_WORDS if self.length_control == "fixed_window" else 0

    def _tagger_version(self) -> str | None:
        if self.tier != "tagged":
            return None
        return tagger_version() if self.language == "en" else chinese_tagger_version("rjieba")

    def _component_names(self) -> tuple[str, ...]:
        return tuple(f"{self.as_}_{name}" for name in self._names)

    def _counted(self, batch: pa.RecordBatch) -> Float64s:
        """Components of the tiers without a parser, float64 (n, 4)."""
        texts = batch.column("text")
        if self.tier == "lexical":
            return lexical_components(texts, window=self._window)
        tagged = tagged_components if self.language == "en" else chinese_tagged_components
        return tagged(texts, window=self._window)

    def _parsed(self, column: pa.Array) -> tuple[Float64s, list[str | None]]:
        """Components of tier parsed, float64 (n, 6), and flags; groups of texts bound the memory that parses take."""
        assert self.parser_name is not None
        parser = parser_of(self.parser_name, self.ltp_model)
        texts = decoded(as_text(column))
        measured = np.empty((len(texts), 6), np.float64)
        flags: list[str | None] = []
        for group in _groups(texts):
            parses = flatten(parser.parse([text or "" for text in group]), self._tags)
            parsed, odd = parsed_components(parses, window=self._window, one_root=self.mode == "paper")
            measured[len(flags) : len(flags) + len(group)] = parsed
            flags += flag_names(odd)
        null = np.array([text is None for text in texts], np.bool_)
        measured[null] = np.nan
        return measured, flags

    def _score(self, measured: Float64s, fit: Mapping[str, Any]) -> Float64s:
        return combine_components(
            {name: float(getattr(self.weights, name)) for name in self._names},
            measured[:, :-1],
            measured[:, -1],
            fit,
            normalise=self.normalise,
            residual=self.length_control == "residual",
        )

    def _written(
        self,
        measured: Float64s,
        flags: Sequence[str | None],
        fit: Mapping[str, Any],
        lite: tuple[Float64s, Bools] | None,
    ) -> pa.RecordBatch:
        """The columns of :meth:`writes`; ``lite`` are the parser-free scores of a cascade and which are partial."""
        score = self._score(measured, fit)
        missing = _any_nan(measured[:, :-1])
        parsed: list[pa.Array] = []
        if lite is not None:
            lite_score, lite_missing = lite
            chosen = in_band(lite_score, fit["cascade"])
            # a parse without a single token leaves nothing to score: the parser-free score is all there is
            score = np.where(chosen & ~np.isnan(score), score, mapped(lite_score, fit["cascade"]))
            missing = (chosen & missing) | (~chosen & lite_missing)
            parsed = [_nullable(lite_score), pa.array(chosen)]
        columns = [_nullable(score), *(_nullable(column) for column in measured[:, :-1].T), pa.array(missing)]
        flag = [pa.array(flags, pa.string())] if self.tier == "parsed" else []
        return pa.record_batch([*columns, *flag, *parsed], schema=self.writes())

    def _partial(self, components: pa.RecordBatch | pa.Table) -> Bools:
        """Which of n rows lack a component."""
        return _any_nan(self._columns(components)[:, :-1])

    def _columns(self, components: pa.RecordBatch | pa.Table) -> Float64s:
        """Components and, last, the number of words, as float64 (n, k + 1), nulls as NaN."""
        names = (*self._component_names(), f"{self.as_}_n_words")
        read = np.empty((components.num_rows, len(names)), np.float64)
        for number, name in enumerate(names):
            column = components.column(name)
            values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            read[:, number] = values.to_numpy(zero_copy_only=False)
        return read

    def _form(self) -> dict[str, Any]:
        """What statistics must have been fitted with."""
        form: dict[str, Any] = {
            "version": FIT_VERSION,
            "operator": self.op,
            "operator_version": self.VERSION,
            "tier": self.tier,
            "language": self.language,
            "length_control": self.length_control,
        }
        if self.parser_name is not None:
            form["parser"] = parser_version(self.parser_name, self.ltp_model)
        if self.cascade is not None:
            form["band"] = list(self.cascade.band)
        return form

    def _check(self, fit: Mapping[str, Any]) -> None:
        wrong = [
            f"{key} {fit.get(key)!r}, expected {value!r}"
            for key, value in self._form().items()
            if fit.get(key) != value and not (key == "parser" and value is None)
        ]
        if wrong:
            raise UsageError(
                f"the statistics given to {self.op} ({self.as_}) do not fit it: {'; '.join(wrong)}; "
                "run the stage fit again"
            )


def _groups(texts: Sequence[str | None]) -> Iterator[Sequence[str | None]]:
    """The texts in groups of at most 256 and about a million characters."""
    begin = characters = 0
    for at, text in enumerate(texts):
        characters += len(text or "")
        if characters > _GROUP_CHARACTERS or at + 1 - begin == _GROUP_TEXTS:
            yield texts[begin : at + 1]
            begin, characters = at + 1, 0
    if begin < len(texts):
        yield texts[begin:]


def _any_nan(measured: Float64s) -> Bools:
    """Which rows of a matrix have a NaN."""
    missing: Bools = np.asarray(np.isnan(measured).any(axis=1), np.bool_)
    return missing


def _nullable(values: Float64s) -> pa.Array:
    """NaN as null: a measure that does not exist is null, so that no later sum or comparison meets a NaN."""
    return pa.array(np.ascontiguousarray(values), pa.float64(), mask=np.isnan(values))
