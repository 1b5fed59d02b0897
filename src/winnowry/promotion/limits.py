"""Bounds that the recipe sets on a stage."""

from __future__ import annotations

from collections import Counter

from winnowry.core.errors import TooManyErrorsError
from winnowry.promotion.request import Request


def refuse_many_errors(request: Request, errors: int, total: int, reasons: Counter[str]) -> None:
    """Stop a stage in which operators crash on more rows than the recipe allows."""
    allowed = request.recipe.limits.max_error_fraction * total
    if errors > max(allowed, 0):
        crashed = {name: n for name, n in reasons.items() if name.endswith(": error")}
        raise TooManyErrorsError(
            f"{request.corpus}/{request.stage}[{request.key}]: {errors} of {total} rows crashed an operator "
            f"({crashed}); limits.max_error_fraction allows {allowed:.0f}. Nothing was promoted. Fix the operator or "
            "raise the limit; the errors are in the log."
        )
