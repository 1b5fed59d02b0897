"""A reward function: answers in, rewards out, as ``rubric.programs`` and ``rubric.reward`` compute them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import pyarrow as pa
from pydantic import ValidationError

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import canonical_json, digest
from winnowry.operators.buffers import TEXT
from winnowry.operators.rubric.programs import Programs
from winnowry.operators.rubric.reward import Reward
from winnowry.operators.rubric.selection import CRITERIA

Completion = str | Sequence[Mapping[str, Any]]
"""An answer: a text, or turns as TRL has them; the contents of those of the assistant count."""


class RubricReward:
    """Rewards answers by programs; it pickles, and is called with batches.

    Args:
        bank: YAML or JSON file of a rubric that every answer is judged by; None: only by the criteria of its prompt.
        name: what trainers log it as.
        options: of ``rubric.reward``, such as ``saturate`` and ``least_judged``.

    Raises:
        UsageError: the file is no rubric, an option is wrong, or a criterion needs a judge.

    >>> terse = RubricReward()
    >>> criteria = [{"criterion_id": "terse", "program": "words", "params": {"most": 2}}]
    >>> terse(prompts=["Hi", "Hi"], completions=["Hello there", "Well, hello there!"], criteria=[criteria] * 2)
    [1.0, 0.0]
    """

    def __init__(
        self, bank: str | os.PathLike[str] | None = None, *, name: str = "rubric_reward", **options: Any
    ) -> None:
        where = {} if bank is None else {"bank": os.fspath(bank)}
        try:
            self._set(Programs.model_validate(where), Reward.model_validate(where | options), name)
        except ValidationError as error:
            wrong = "; ".join(str(mistake["msg"]).removeprefix("Value error, ") for mistake in error.errors())
            raise UsageError(f"no usable rubric or options: {wrong}") from None

    def _set(self, programs: Programs, reward: Reward, name: str) -> None:
        judges = [c.criterion_id for c in (reward.rubric.criteria if reward.rubric else ()) if c.program is None]
        if judges and reward.least_judged == 1:
            raise UsageError(
                f"criteria that a judge decides: {', '.join(judges)}; a reward function asks programs only. Leave them "
                "out of the rubric, or allow rewards without them by `least_judged`"
            )
        self.__name__ = name
        self._programs, self._reward = programs, reward

    @classmethod
    def of_release(cls, lake: str | os.PathLike[str], corpus: str, tag: str | None = None, *, name: str = "") -> Self:
        """The rewards of a release: rubric and options are those that its recipe was run with.

        Args:
            lake: root of the lake.
            corpus: of rollouts.
            tag: of the release; default ``prod``, else the newest one.
            name: as above; default the name of the corpus.

        Raises:
            UsageError: there is no such release, it stores no recipe, or the recipe has no ``rubric.reward``.
        """
        from winnowry.api.lake import open as open_lake
        from winnowry.releases.recipes import recipe_of

        opened = open_lake(lake)
        release = opened.release(corpus, tag)
        stored = recipe_of(opened.workspace, release)
        items = [*stored.spec["clean"], *stored.spec["score"]] if stored is not None else []
        by_op = {str(item["op"]): item for item in items}
        if "rubric.reward" not in by_op:
            raise UsageError(f"{corpus} {release.name}: its recipe has no rubric.reward, so that there are no rewards")
        made = cls.__new__(cls)
        checks = Programs.model_validate(_options(Programs, by_op.get("rubric.programs", {"op": "rubric.programs"})))
        made._set(checks, Reward.model_validate(_options(Reward, by_op["rubric.reward"])), name or corpus)
        return made

    @property
    def hash(self) -> str:
        """What identifies the rewards: rubric, options and versions; one that is equal gives the same rewards."""
        parts = [self._programs.fingerprint(), self._reward.fingerprint()]
        return digest([{name: value for name, value in part.items() if name != "bank"} for part in parts])

    def table(self, answers: Sequence[str | None], criteria: Sequence[Any] | None = None) -> pa.Table:
        """Rewards of n answers with their components.

        Args:
            answers: texts.
            criteria: of each prompt its own, as a list or as JSON; None where there are none.

        Returns:
            ``reward``, ``vetoed_by``, ``judged_share``, ``reward_components``, and ``criteria_error``: why criteria
            cannot be used (null where they can).
        """
        own = [_as_json(item) for item in criteria] if criteria is not None else [None] * len(answers)
        batch = pa.record_batch({"text": pa.array(answers, TEXT), CRITERIA.name: pa.array(own, CRITERIA.type)})
        judged = self._programs.apply(batch)
        scores = judged.append_column(CRITERIA.name, batch.column(CRITERIA.name))
        rewarded = self._reward.model_copy(update={"judged": (judged.schema.names[0],), "as_": None}).apply(scores)
        columns = [*rewarded.columns, judged.column(1)]
        return pa.table(columns, names=[*rewarded.schema.names, "criteria_error"])

    def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Completion] = (),
        completion_ids: Sequence[Any] | None = None,
        *,
        criteria: Sequence[Any] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Rewards as TRL asks for them.

        Args:
            prompts: not looked at.
            completions: n answers.
            completion_ids: not looked at.
            criteria: the column of the data set with the criteria of each prompt.
            log_extra: of TRL: gets what vetoed each answer.
            log_metric: of TRL: gets the share of answers that were vetoed.
            columns: other columns of the data set; not looked at.

        Returns:
            n rewards, 0 to 1; None where there is none, which TRL leaves out of the mean.
        """
        table = self.table([text_of(answer) for answer in completions], criteria)
        vetoes = table["vetoed_by"].to_pylist()
        if log_extra is not None:
            log_extra(f"{self.__name__}/vetoed_by", ["" if veto is None else veto for veto in vetoes])
        if log_metric is not None and vetoes:
            log_metric(f"{self.__name__}/veto_rate", sum(veto is not None for veto in vetoes) / len(vetoes))
        rewards: list[float | None] = table["reward"].to_pylist()
        return rewards


def text_of(answer: Completion) -> str:
    """The text of an answer.

    >>> text_of([{"role": "assistant", "content": "Yes."}])
    'Yes.'
    """
    if isinstance(answer, str):
        return answer
    contents = [turn.get("content") for turn in answer if turn.get("role", "assistant") == "assistant"]
    return "\n\n".join(_content(content) for content in contents if content)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))


def _as_json(criteria: Any) -> str | None:
    if criteria is None or isinstance(criteria, str):
        return criteria or None
    return canonical_json([_without_nulls(item) for item in criteria]) if len(criteria) else None


def _without_nulls(item: Mapping[str, Any]) -> dict[str, Any]:
    """A criterion without the keys that a data set gave every row; params may be JSON there."""
    known = {key: value for key, value in item.items() if value is not None}
    if isinstance(known.get("params"), str):
        known["params"] = json.loads(known["params"])
    return known


def _options(kind: type[Programs] | type[Reward], stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.alias or name for name, field in kind.model_fields.items()}
    return {name: value for name, value in stored.items() if name in names}
