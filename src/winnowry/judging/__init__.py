"""Judgements: models behind OpenAI-compatible endpoints are asked about rollouts, and what they answer is kept.

``judge`` asks what is missing and appends it to the table ``judgements`` of a corpus. Operators stay pure: rewards are
made of the table, and a changed weight or veto asks nothing again.
"""

from winnowry.judging.batch import Results, read_results, write_requests
from winnowry.judging.run import Summary, judge
from winnowry.judging.scores import Scores
from winnowry.judging.spec import Judge, Prices, judge_of
from winnowry.judging.store import Store

__all__ = [
    "Judge",
    "Prices",
    "Results",
    "Scores",
    "Store",
    "Summary",
    "judge",
    "judge_of",
    "read_results",
    "write_requests",
]
