"""The page of the Python API is one session that runs as it is printed, and has every name."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import winnowry as wn

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "python-api.md"


def test_the_session_of_the_page_gives_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINNOWRY_ROOT", raising=False)
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    session = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    wrong: list[str] = []

    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(session, out=wrong.append)

    assert len(session.examples) > 20
    assert wrong == []


def test_every_name_has_an_entry_and_an_example() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = " ".join(re.findall(r"^### (.*)$", text, flags=re.MULTILINE))
    code = " ".join(re.findall(r"```pycon\n(.*?)```", text, flags=re.DOTALL))

    assert [name for name in wn.__all__ if f"`{name}`" not in headings] == []
    assert [name for name in wn.__all__ if f"wn.{name}" not in code] == []
