"""Write the goldens of the kept lake anew: only where a release says that what people see has changed.

``python -m tests.compat.make_goldens --because "what moved, and why that is right" [NAME…]``; without names all of
them, and those that are not asked any more are removed. Put the reason into the commit.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.compat import lake


def answers(root: Path, empty: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every golden's name, and how its value is found."""
    for name, arguments in lake.QUESTIONS.items():
        yield name, lambda arguments=arguments: lake.stored(lake.ask(root, *arguments), root)
    for name, recipe in lake.INPUTS.items():
        yield name, partial(lake.inputs, root, recipe)
    for path in lake.recipe_files():
        yield lake.recipe_name(path), partial(lake.hashes, path, empty)


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--because", required=True, help="why what is stored may move")
    parser.add_argument("names", nargs="*", help="only these goldens")
    options = parser.parse_args()
    if len(options.because.split()) < 4:
        parser.error("--because: say in a sentence what moved and why that is right")
    lake.GOLDENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = lake.unpack(Path(folder))
        empty = Path(folder) / "empty"
        empty.mkdir()
        known = dict(answers(root, empty))
        for name in options.names or known:
            (lake.GOLDENS / f"{name}.json").write_text(lake.written(known[name]()), encoding="utf-8")
    for path in [] if options.names else lake.GOLDENS.glob("*.json"):
        if path.stem not in known:
            path.unlink()


if __name__ == "__main__":
    main()
