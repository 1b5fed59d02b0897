"""Rewards for reinforcement learning, by the rubric of a release or of a file: the same numbers as in the table.

``RubricReward`` is a reward function of TRL as it stands. ``compute_score`` is verl's, ``serve`` answers OpenRLHF.
"""

from winnowry.rewards.function import RubricReward
from winnowry.rewards.server import serve
from winnowry.rewards.verl import compute_score

__all__ = ["RubricReward", "compute_score", "serve"]
