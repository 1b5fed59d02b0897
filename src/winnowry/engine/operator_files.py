"""Files that operators read, for workers anywhere: copied below the root once, brought to where a task runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from winnowry.operators.base import Operator
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
        if not self.contents:
            return tuple(operators)
        tree = self.artefacts.tree(self.contents)
        places = {declared: f"{tree}{absolute}" for declared, absolute in self.places.items()}
        return tuple(operator.with_input_paths(places) for operator in operators)


def publish_files(store: ObjectStore, operators: Sequence[Operator]) -> OperatorFiles:
    """Copy the files that operators read below the root, unless they are there; called where tasks are made.

    A path that leads to no file stays as it is: the operator says what is missing when it reads it, and one that was
    fitted may not need it any more.

    Raises:
        UsageError: a file cannot be read, or changed while it was copied.
        StorageError: the store refused.
    """
    artefacts = Artefacts(store)
    places: dict[str, str] = {}
    contents: dict[str, str] = {}
    for operator in operators:
        for path in operator.input_paths():
            files = path.files()
            if files:
                places[path.declared] = path.absolute()
            for file in files:
                contents[str(file)] = artefacts.put(file)
    return OperatorFiles(artefacts, places, contents)
