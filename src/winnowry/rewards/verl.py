"""The reward function of verl: ``custom_reward_function.path`` is this file, ``.name`` is ``compute_score``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.rewards.function import RubricReward

RUBRIC = "WINNOWRY_RUBRIC"
"""Environment variable: file of a rubric that judges every answer, or ``LAKE::CORPUS`` or ``LAKE::CORPUS@TAG``."""


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The reward of one answer.

    Args:
        data_source: not looked at.
        solution_str: the answer.
        ground_truth: not looked at.
        extra_info: ``criteria`` of the prompt, as a list or JSON.

    Returns:
        ``score``, 0 to 1, ``vetoed_by`` (empty where nothing did) and ``judged_share``.

    Raises:
        UsageError: the answer has no reward, and verl knows none that is missing: the message says why.
    """
    criteria = (extra_info or {}).get("criteria")
    row = _reward(os.environ.get(RUBRIC, "")).table([solution_str], [criteria]).to_pylist()[0]
    if row["reward"] is None:
        why = row["criteria_error"] or ("no criterion" if not row["reward_components"] else "too few were judged")
        raise UsageError(f"{data_source}: this answer has no reward: {why}; give `criteria` in extra_info, or {RUBRIC}")
    return {"score": row["reward"], "vetoed_by": row["vetoed_by"] or "", "judged_share": row["judged_share"]}


@cache
def _reward(named: str) -> RubricReward:
    lake, separator, corpus = named.rpartition("::")
    if not separator:
        return RubricReward(named or None)
    corpus, _, tag = corpus.partition("@")
    return RubricReward.of_release(lake, corpus, tag or None)
