"""What assets are called: ``[corpus, stage]``, and ``[corpus, table, column]`` for a column that a recipe adds."""

from __future__ import annotations

import dagster as dg


def stage_key(corpus: str, stage: str) -> dg.AssetKey:
    """The asset of a stage, or of a column named ``TABLE.COLUMN``.

    >>> stage_key("news", "published.tone").path
    ['news', 'published', 'tone']
    """
    return dg.AssetKey([corpus, *stage.split(".")])
