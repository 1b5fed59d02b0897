"""Pages from templates: everything that a template is given is text, and is escaped where it is written.

No string reaches a template as markup. Charts come as geometry, tables as cells; templates alone know HTML.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from winnowry.core import numbers
from winnowry.core.visible import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """Fill a template.

    Args:
        template: path below ``templates``.
        context: what its variables stand for; a template that names another one is an error.

    Returns:
        HTML in which every value is escaped, and control characters are visible.
    """
    return _environment().get_template(template).render(**context)


def stylesheet(name: str) -> str:
    """A style sheet below ``templates``, for pages that others make."""
    return files("winnowry.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only where a page is made: imports take time

    environment = Environment(
        loader=PackageLoader("winnowry.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "number": numbers.number,
        "rounded": numbers.rounded,
        "significant": numbers.significant,
        "fixed": numbers.fixed,
        "percent": numbers.percent,
        "byte_size": numbers.byte_size,
        "counted": numbers.counted,
        "day": numbers.day,
        "minute": numbers.minute,
        "px": _coordinate,
    }
    return environment


def _shown(value: object) -> object:
    """What a template writes: markup of its own macros has a class of its own and stays as it is."""
    return printable(value) if type(value) is str else value


def _coordinate(value: float) -> str:
    return f"{value:.1f}"
