"""Files that operators read, for workers anywhere: copied below the root once, brought to where a task runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from winnowry.operators.base import Operator
from winnowry.operators.input_path import InputPath
from winnowry.storage.artefacts import Artefacts
from winnowry.storage.objects import ObjectStore

SomeOperator = TypeVar("SomeOperator", bound=Operator)


@dataclass(frozen=True)
class OperatorFiles:
    """Files of some operators below a root; picklable, and part of a task.

    Attributes:
        artefacts: where they are.
        places: the absolute path that each declared path led to where the task was made.
        contents: SHA-256 of each file, by its absolute path.
    """

    artefacts: Artefacts
    places: Mapping[str, str]
    contents: Mapping[str, str]

    def localised(self, operators: Sequence[SomeOperator]) -> tuple[SomeOperator, ...]:
        """The same operators, reading copies on this machine; called in a worker.

        Raises:
            StorageError: a copy below the root is gone, or holds something else.
        """
        places = self.local_places()
        return tuple(operator.with_input_paths(places) for operator in operators) if places else tuple(operators)

    def local_places(self) -> dict[str, str]:
        """Where each declared path leads on this machine."""
        if not self.contents:
            return {}
        tree = self.artefacts.tree(self.contents)
        return {declared: f"{tree}{absolute}" for declared, absolute in self.places.items()}


def publish_files(store: ObjectStore, operators: Sequence[Operator]) -> OperatorFiles:
    """Copy the files that operators read below the root, unless they are there; called where tasks are made.

    A path that leads to no file stays as it is: the operator says what is missing when it reads it, and one that was
    fitted may not need it any more.

    Raises:
        UsageError: a file cannot be read, or changed while it was copied.
        StorageError: the store refused.
    """
    return publish_paths(store, [path for operator in operators for path in operator.input_paths()])


def publish_paths(store: ObjectStore, paths: Sequence[InputPath]) -> OperatorFiles:
    """As :func:`publish_files`, for paths that stand alone."""
    artefacts = Artefacts(store)
    places: dict[str, str] = {}
    contents: dict[str, str] = {}
    for path in paths:
        files = path.files()
        if files:
            places[path.declared] = path.absolute()
        for file in files:
            contents[str(file)] = artefacts.put(file)
    return OperatorFiles(artefacts, places, contents)
