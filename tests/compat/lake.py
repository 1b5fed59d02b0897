"""The kept lake of version 0.1.0: unpacked, asked through the command line, and answered as goldens are stored."""

from __future__ import annotations

import io
import json
import re
import tarfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from tests.compat import names

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
RECIPES = HERE / "recipes"
GOLDENS = HERE / "goldens"
ARCHIVE = HERE / "lake-0.1.0.tar.xz"
WRITTEN_AT = "/tmp/winnowry-compat/lake"
DIGITS = 9


def unpack(folder: Path) -> Path:
    """Unpack the lake into a folder; returns its root."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(folder, filter="data")
    return folder / "lake"


def ask(root: Path, *arguments: str, status: int = 0) -> Any:
    """The JSON document with which a command answers; recipes of this folder are given by their file's name."""
    command = [str(RECIPES / part) if part.endswith(".yaml") else part for part in arguments]
    with redirect_stdout(io.StringIO()) as printed:
        done = names.main([*command, "--root", str(root), "--json"])
    assert done == status, f"winnowry {' '.join(arguments)}: exit code {done}: {printed.getvalue()[:2000]}"
    return json.loads(printed.getvalue())


def stored(value: Any, root: Path) -> Any:
    """A value as its golden stores it: no address of this machine, floats to nine digits."""
    if isinstance(value, dict):
        return {stored(key, root): stored(item, root) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [stored(item, root) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, str):
        portable = _from_the_root(value.replace(str(root), "ROOT").replace(WRITTEN_AT, "WRITTEN_AT"))
        return portable.replace(str(REPOSITORY), "REPOSITORY")
    return value


def written(value: Any) -> str:
    """A golden as text: a line an entry, so that a change is seen in a review."""
    if isinstance(value, dict):
        lines = [f"{_line(key)}: {_line(item)}" for key, item in sorted(value.items())]
        return "{\n" + ",\n".join(lines) + "\n}\n"
    return "[\n" + ",\n".join(_line(item) for item in value) + "\n]\n"


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def golden(name: str) -> Any:
    """A stored answer."""
    return json.loads(_from_the_root((GOLDENS / f"{name}.json").read_text(encoding="utf-8")))


def _from_the_root(text: str) -> str:
    """Text in which what lies below the root is named from there, as versions after 0.1.0 do, wherever the root was."""
    return text.replace("WRITTEN_AT", "ROOT").replace("ROOT/", "")


TABLES = {
    "compat": ("landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published", "quarantine", "gates"),
    "shots": ("landing", "raw", "quarantine", "gates"),
}
VIEWS = ("tables", "versions", "columns", "ledger")
FATES = {
    "published": "T-2025-03-01-3",
    "not_selected": "T-2025-03-01-0",
    "quarantined": "short-2025-03-01",
    "left_with_v2": "brief-2025-03-01",
    "exact_duplicate": "exact-copy",
    "near_duplicate": "near-copy",
    "unreadable": f"{WRITTEN_AT}/landing/tickets/2025-03-02.jsonl:5",
    "undated": f"{WRITTEN_AT}/landing/tickets/2025-03-03.jsonl:24",
}
"""Records of every fate, by the id that their source gave them or their place."""


_MOST_ROWS = 80  # more than any table has but that of gates


def _select(table: str) -> str:
    # What a blob looks like in SQL is where it lies in its file: no contract.
    return f"SELECT * EXCLUDE (payload) FROM {table}" if table == "shots.raw" else f"SELECT * FROM {table}"


QUESTIONS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "compat.yaml"),
    "plan_of_the_first_recipe": ("plan", "compat_first.yaml"),
    "plan_of_a_comparison": ("plan", "compat_compared.yaml"),
    "plan_of_files": ("plan", "shots.yaml"),
    "plan_of_a_change": ("plan", "compat.yaml", "--set", "text.length.min_words=25"),
    "release_list": ("release", "list", "compat"),
    "release_show": ("release", "show", "compat"),
    "release_show_v1": ("release", "show", "compat", "v1"),
    "release_diff": ("release", "diff", "compat", "v1", "v2"),
    "column_list": ("column", "list", "compat"),
    **{f"explain_{fate}": ("explain", record) for fate, record in FATES.items()},
    **{
        f"table_{corpus}_{table}": ("sql", f"{_select(f'{corpus}.{table}')} ORDER BY ALL LIMIT {_MOST_ROWS}")
        for corpus, tables in TABLES.items()
        for table in tables
    },
    **{f"view_{view}": ("sql", f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS},
    "view_gates": ("sql", "SELECT * FROM gates ORDER BY ALL LIMIT 10"),
    "view_gates_verdicts": (
        "sql",
        'SELECT corpus, "table", verdict, count(*) AS n FROM gates GROUP BY ALL ORDER BY ALL',
    ),
}
"""Commands whose answers must not move, by the name of their golden."""


def recipe_files() -> list[Path]:
    """Recipes whose hashes must not move."""
    own = [path for folder in ("recipes", "examples") for path in (REPOSITORY / folder).rglob("*.yaml")]
    return sorted([*own, *RECIPES.glob("*.yaml")])


def recipe_name(path: Path) -> str:
    """The name of a recipe's golden."""
    home = path.parent.parent if path.is_relative_to(RECIPES) else REPOSITORY
    name = re.sub(r"\W+", "_", str(path.relative_to(home).with_suffix("")))
    return f"recipe_{name.removeprefix('recipes_')}"


def hashes(recipe_file: Path, empty_root: Path) -> Any:
    """What the golden of a recipe holds."""
    known = names.hashes(recipe_file)
    known["inputs_without_data"] = names.inputs(empty_root, recipe_file, without_data=True)
    return stored(known, empty_root)


INPUTS = {"inputs_compat": "compat.yaml", "inputs_compared": "compat_compared.yaml", "inputs_shots": "shots.yaml"}
"""Recipes whose stages have inputs in the kept lake, by the name of their golden."""


def inputs(root: Path, recipe: str) -> Any:
    """What the golden of a recipe's inputs holds."""
    return stored(names.inputs(root, RECIPES / recipe), root)
