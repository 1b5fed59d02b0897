"""Lays out the documentation site: navigation, generated pages, and links to files outside ``docs/``.

Pages are written for the repository, where a link is a path. On the site some of those paths are other pages (README is
the front page), and the rest is a file that the site does not show: such a link leads to the repository named by
``WINNOWRY_REPOSITORY``, or to a copy in the site where none is named.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
SECTIONS = {
    "tutorials": "Tutorials",
    "how-to": "How-to",
    "reference": "Reference",
    "explanation": "Explanation",
    "adr": "Decisions",
}
PAGES = {
    "README.md": "index.md",
    "deploy/README.md": "how-to/deploy.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
}
"""Files outside ``docs/`` that are pages of the site, each with its place there."""
API = "reference/api"
NOT_PUBLIC = ("cli", "kernels")
"""Packages without an API reference: the command line, and the inner loops of operators."""
LINK = re.compile(r"(?P<open>\]\()(?P<path>(?!https?://|mailto:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?(?P<close>\))")
FENCE = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page of a folder into the section of that folder, in the order of the titles."""
    config.nav = [{"Home": "index.md"}]
    for folder, name in SECTIONS.items():
        paths = sorted((ROOT / DOCS / folder).glob("*.md"), key=_order)
        entries: list[Any] = [f"{folder}/{path.name}" for path in paths]
        if folder == "adr":
            entries.insert(0, "adr/index.md")
        if folder == "how-to":
            entries.append(PAGES["deploy/README.md"])
        if folder == "reference":
            entries.append({"JSON output": "reference/json/index.md"})
            entries.append(
                {
                    "Modules": [
                        f"{API}/index.md",
                        *({package.removeprefix("winnowry."): _api_page(package)} for package in _packages()),
                    ]
                }
            )
        config.nav.append({name: entries})
    config.nav.append({"Project": [page for page in PAGES.values() if page.startswith("project/")]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of ``docs/`` holds."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if page == "index.md":  # its section has no other page to navigate to
            text = f"---\nhide: [navigation]\n---\n{text}"
        files.append(File.generated(config, page, content=text))
    for page, text in _generated():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that hold in the repository into links that hold on the site."""
    place = page.file.src_uri
    source = next((path for path, target in PAGES.items() if target == place), f"{DOCS}/{place}")

    def on_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        target = _target(path, config, files)
        if target is None:
            return match[0]
        if "://" not in target:
            target = posixpath.relpath(target, posixpath.dirname(place) or ".")
        return f"{match['open']}{target}{match['anchor'] or ''}{match['close']}"

    parts = FENCE.split(markdown)
    parts[::2] = [LINK.sub(on_site, prose) for prose in parts[::2]]
    return "".join(parts)


def _target(path: str, config: MkDocsConfig, files: Files) -> str | None:
    """Where a path of the repository is on the site, an address elsewhere, or None where nothing is there."""
    if path in PAGES:
        return PAGES[path]
    inside = path.removeprefix(f"{DOCS}/")
    if path.startswith(f"{DOCS}/"):
        for candidate in (inside, f"{inside}/index.md"):
            if files.get_file_from_path(candidate) is not None:
                return candidate
    if not (ROOT / path).exists():
        return None
    if config.repo_url:
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{config.repo_url.rstrip('/')}/{kind}/{os.environ.get('WINNOWRY_REVISION', 'main')}/{path}"
    if (ROOT / path).is_dir():
        return PAGES.get(f"{path}/README.md")
    copy = f"source/{path}" + (".txt" if path.endswith(".md") else "")
    if files.get_file_from_path(copy) is None:
        files.append(File.generated(config, copy, abs_src_path=str(ROOT / path)))
    return copy


def _order(path: Path) -> tuple[bool, str]:
    """Decisions by number, other pages by title."""
    return (path.parent.name != "adr", path.name if path.parent.name == "adr" else _title(path))


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ").strip()


def _generated() -> Iterator[tuple[str, str]]:
    """Each generated page's place and text."""
    decisions = sorted((ROOT / DOCS / "adr").glob("*.md"))
    yield "adr/index.md", "# Decisions\n\n" + "".join(f"* [{_title(path)}]({path.name})\n" for path in decisions)
    schemas = sorted((ROOT / DOCS / "reference" / "json").glob("*.schema.json"))
    yield (
        "reference/json/index.md",
        "# JSON output\n\nWhat commands print with `--json`, each with its JSON Schema.\n\n"
        + "".join(f"* [`{path.name.removesuffix('.schema.json')}`]({path.name})\n" for path in schemas),
    )
    packages = _packages()
    yield (
        f"{API}/index.md",
        "# Modules\n\nEvery public module, from its docstrings. What stays as it is between versions is the "
        "[Python API](../python-api.md). "
        "The layers, top to bottom, are in [Architecture](../../explanation/architecture.md).\n\n"
        + "".join(f"* [`{package}`]({posixpath.basename(_api_page(package))})\n" for package in packages),
    )
    for package, modules in packages.items():
        yield _api_page(package), f"# {package}\n\n" + "".join(f"::: {module}\n\n" for module in modules)


def _packages() -> dict[str, list[str]]:
    """Each public package with its public modules, as import names."""
    packages: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src" / "winnowry").rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        if any(part in NOT_PUBLIC or (part.startswith("_") and part != "__init__") for part in parts):
            continue
        if parts[-1] == "__init__":
            continue  # `__init__` files hold no code of their own
        packages.setdefault(".".join(parts[:-1]), []).append(".".join(parts))
    return packages


def _api_page(package: str) -> str:
    return f"{API}/{package}.md"
