"""Multiple-choice questions as a proxy answers them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from winnowry.evidence.comparison.text_sets import Question
from winnowry.evidence.comparison.texts import TokenFile, batched, write_tokens

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

_Z = 1.6448536269514722  # 95 % quantile of the normal distribution: one side


@dataclass(frozen=True)
class QuestionFile:
    """Questions with each of their choices as documents.

    Attributes:
        tokens: one document a choice.
        first: document i to ``first[i + 1]`` are the choices of question i; n + 1 of them.
        right: documents with the right choice, n of them.
    """

    tokens: TokenFile
    first: Int64s
    right: Int64s

    def __len__(self) -> int:
        return len(self.right)

    @property
    def chance(self) -> float:
        """Share of right answers when they are drawn at random."""
        return float(np.mean(1.0 / np.diff(self.first)))


def write_questions(path: Path, questions: Iterable[Question], tokens: int) -> QuestionFile:
    """Encode questions and write their token ids.

    Args:
        path: without a suffix.
        questions: at least one.
        tokens: at most about so many of them, questions spread evenly over the set.
    """
    listed = list(questions)
    whole = write_tokens(path, batched(document for one in listed for document in one.documents()))
    first = np.concatenate([[0], np.cumsum([len(one.choices) for one in listed])]).astype(np.int64)
    if whole.offsets[-1] > tokens:
        wanted = max(2, int(len(listed) * tokens / int(whole.offsets[-1])))
        positions = np.unique(np.linspace(0, len(listed) - 1, wanted).astype(np.int64))
        return write_questions(path, [listed[place] for place in positions.tolist()], int(whole.offsets[-1]))
    right = first[:-1] + np.array([one.right for one in listed], np.int64)
    return QuestionFile(whole, first, right)


def answered(bits: Float64s, questions: QuestionFile) -> float:
    """Share of questions answered right: the choice that makes question and choice the shortest code is the answer.

    Choices of one length in bits share the answer. What counts is the likelihood of the whole text, as in the plain
    accuracy of evaluation harnesses, not that of a byte of it.

    Args:
        bits: of each document of ``questions.tokens``.
        questions: n of them.
    """
    shortest = np.minimum.reduceat(bits, questions.first[:-1])
    ties = np.add.reduceat(
        (bits == np.repeat(shortest, np.diff(questions.first))).astype(np.float64), questions.first[:-1]
    )
    return float(np.mean((bits[questions.right] == shortest) / ties))


def beats_chance(accuracy: float, chance: float, n: int) -> bool:
    """Whether so many of n questions right are more than chance gives: a one-sided score test at level 0.05.

    >>> beats_chance(0.30, 0.25, 100), beats_chance(0.30, 0.25, 1000)
    (False, True)
    """
    return accuracy - chance > _Z * math.sqrt(chance * (1 - chance) / n)
