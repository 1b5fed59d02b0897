"""Puts the project template into the wheel, and the README into its metadata with links that work there.

``assets/``, ``resources/``, ``expectations/`` and ``recipes/`` are this repository's own code location and outside the
import package, where mypy, import-linter and Dagster see them. A wheel carries a copy under ``winnowry/template/`` so
that ``winnowry init`` and ``winnowry demo`` work away from the repository. An editable install has no copy:
``winnowry.runs.template.template_root`` finds the repository instead.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
TEMPLATE_FOLDERS = ("assets", "resources", "expectations", "recipes")
TEMPLATE_FILES = ("workspace.yaml", "dagster.yaml")
_FENCED = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
_RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|mailto:|#)([^)]+)\)")


def package_page(readme: str, repository: str) -> str:
    """The README as a registry shows it, where a path below this repository leads nowhere.

    Args:
        readme: the Markdown.
        repository: address of the repository; links lead there. Empty: images are left out, links are their text.
    """

    def resolved(match: re.Match[str]) -> str:
        image, text, path = match.groups()
        if not repository:
            return "" if image else text
        return f"{image}[{text}]({repository.rstrip('/')}/{'raw' if image else 'blob'}/HEAD/{path})"

    parts = _FENCED.split(readme)
    return "".join(part if part.startswith("```") else _RELATIVE.sub(resolved, part) for part in parts)


def template_files() -> list[Path]:
    """Paths of the template relative to the repository, sorted; build leftovers are left out."""
    found = [Path(name) for name in TEMPLATE_FILES if (ROOT / name).is_file()]
    for folder in TEMPLATE_FOLDERS:
        found += [
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
        ]
    return sorted(found)


class BuildWithTemplate(build_py):
    """``build_py`` that also copies the template, except into an editable install."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            # An earlier build's copy may hold files that are gone since.
            shutil.rmtree(Path(self.build_lib) / "winnowry" / "template", ignore_errors=True)
            for source, target in self._copies():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self._copies())]

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *(str(path) for path in template_files())]

    def _copies(self) -> list[tuple[Path, Path]]:
        template = Path(self.build_lib) / "winnowry" / "template"
        return [(ROOT / path, template / path) for path in template_files()]


setup(
    cmdclass={"build_py": BuildWithTemplate},
    long_description=package_page(
        (ROOT / "README.md").read_text(encoding="utf-8"), os.environ.get("WINNOWRY_REPOSITORY", "")
    ),
    long_description_content_type="text/markdown",
)
