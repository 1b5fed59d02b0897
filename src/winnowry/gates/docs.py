"""Data Docs of one promotion: a folder of their own, so that building them never grows with history."""

from __future__ import annotations

from pathlib import Path


def finish_site(docs: Path) -> str | None:
    """Find the page to open first.

    Args:
        docs: folder that Great Expectations wrote its site into.

    Returns:
        Path of the index page, or None where the site was not written.
    """
    index = docs / "index.html"
    return str(index) if index.is_file() else None
