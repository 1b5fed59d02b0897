"""``text.classifier``: the probability of a label of the user's own fastText model."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PrivateAttr, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.buffers import as_text
from winnowry.operators.input_path import InputPath
from winnowry.operators.text.heuristic import Heuristic, Limits

_LABEL_PREFIX = "__label__"


@lru_cache(maxsize=8)
def _digest(path: str, size: int, modified_ns: int) -> str:
    """SHA-256 of a file; size and time only tell when to read it again."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_now(path: str) -> str:
    state = Path(path).stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2)
def _model(path: str, sha256: str, label: str) -> Any:
    import fasttext

    if not Path(path).is_file():
        raise UsageError(f"text.classifier: {path}: no such file; it was there when the recipe was read")
    digest = _digest_now(path)
    if digest != sha256:
        raise UsageError(
            f"text.classifier: {path} has SHA-256 {digest[:16]}…, expected {sha256[:16]}…; give the recipe the model "
            "it was written for, or its new sha256"
        )
    try:
        model = fasttext.load_model(path)
        labels = model.predict("a", k=-1)[0]
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"text.classifier: {path} is no supervised fastText model: {error}") from error
    if _LABEL_PREFIX + label not in labels:
        known = ", ".join(sorted(name.removeprefix(_LABEL_PREFIX) for name in labels)[:20])
        raise UsageError(f"text.classifier: {path} has no label {label!r}; its labels are {known}")
    return model


class Classifier(Heuristic):
    """Score a text with a supervised fastText model: toxicity, topic, quality, whatever it was trained for.

    Reads the first ``read_chars`` characters as one line, newlines as spaces. The content of the model is part of the
    fingerprint: another file under the same path makes the stage stale.

    Writes ``classifier_score`` (float64 in [0, 1], the model's probability of ``label``, rounded to 6 decimals; 0.0
    for a blank text, null for a null text), or the name given by ``as`` followed by ``_score``.

    Raises:
        UsageError: the model is gone, another one, or not a supervised fastText model with this label.

    Source: Joulin et al. 2016, "Bag of tricks for efficient text classification".
    """

    PREFIX: ClassVar[str] = "classifier"
    LIMITS: ClassVar[Limits] = (
        ("min_score", "score", ">="),
        ("max_score", "score", "<="),
    )

    COST: ClassVar[Literal["cheap", "costly"]] = "costly"

    op: Literal["text.classifier"] = "text.classifier"
    model: InputPath = Field(
        description="Path of the model, .bin or .ftz; a relative path starts at the working directory. Source: "
        "Joulin et al. 2016, e.g. the quality classifier of DCLM (Li et al. 2024) or Dolma's jigsaw models."
    )
    label: str = Field(min_length=1, description="The label whose probability is the score, without `__label__`.")
    min_score: float | None = Field(
        default=None, ge=0, le=1, description="Smallest score to keep, for labels that are wanted; off unless set."
    )
    max_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest score to keep, for labels that are not wanted; off unless set. "
        "Source of the idea: Dolma (Soldaini et al. 2024), which removes what is toxic with a probability over 0.4.",
    )
    read_chars: int = Field(
        default=100_000,
        ge=1,
        description="Characters read from the beginning: a bound on memory, which grows with their character n-grams.",
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the model; where it is given, a large model is not read to plan a run, and another "
        "model is refused.",
    )
    _sha256: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not Path(self.model).is_file():
            raise ValueError(
                f"model: {self.model}: no such file; a relative path starts at the working directory, {Path.cwd()}"
            )
        self._sha256 = self.sha256 or _digest_now(self.model)
        return self

    def fingerprint(self) -> dict[str, Any]:
        """Name, version, parameters, and the SHA-256 of the model (``model_sha256``)."""
        return {**super().fingerprint(), "model_sha256": self._sha256}

    def writes(self) -> pa.Schema:
        """``classifier_score``, float64."""
        return pa.schema([pa.field(self._name("score"), pa.float64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Score n texts."""
        model = _model(self.model, self._sha256, self.label)
        wanted = _LABEL_PREFIX + self.label
        scores: list[float | None] = []
        for text in pc.utf8_slice_codeunits(as_text(batch.column("text")), 0, self.read_chars).to_pylist():
            if text is None or not text or text.isspace():
                scores.append(None if text is None else 0.0)
                continue
            labels, probabilities = model.predict(text.replace("\n", " "), k=-1)
            by_label = dict(zip(labels, probabilities, strict=True))
            scores.append(round(min(float(by_label.get(wanted, 0.0)), 1.0), 6))
        return pa.record_batch([pa.array(scores, pa.float64())], schema=self.writes())
