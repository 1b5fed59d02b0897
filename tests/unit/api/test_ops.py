"""``wn.ops``: every operator by its name, for people, editors and type checkers."""

from __future__ import annotations

from pathlib import Path

import pytest

import winnowry as wn
from winnowry.api.operator_stub import PATH, operator_stub
from winnowry.operators import registry
from winnowry.operators.registry import operators


def test_every_operator_is_an_attribute_by_its_name() -> None:
    for name, cls in operators().items():
        family, _, member = name.partition(".")
        assert family in dir(wn.ops)
        assert member in dir(getattr(wn.ops, family))
        assert getattr(getattr(wn.ops, family), member) is cls


def test_the_stub_that_editors_read_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == operator_stub(), "run: python -m winnowry.api.operator_stub"


def test_a_misspelt_operator_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(AttributeError, match=r"no operator text\.lenght; did you mean 'length'\?"):
        wn.ops.text.lenght  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"no operators .txt.; there are .*dedup, .*score, "):
        wn.ops.txt  # type: ignore[attr-defined]  # noqa: B018


def test_an_operator_of_an_installed_package_is_there_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_tone.py").write_text(
        "from typing import Literal\nfrom winnowry.operators.base import Operator\n"
        "class Tone(Operator):\n    op: Literal['acme.tone'] = 'acme.tone'\n    loud: bool = False\n"
    )
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text('[winnowry.operators]\n"acme.tone" = acme_tone:Tone\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.operators.cache_clear()
    try:
        assert wn.ops.acme.tone(loud=True).loud  # type: ignore[attr-defined]
        assert "acme" in dir(wn.ops)
    finally:
        monkeypatch.undo()
        with_acme = registry.operators()["acme.tone"]
        with_acme.model_fields["op"].default = None  # the class stays in this process: let nothing else see it
        registry.operators.cache_clear()
