"""Bounds that the recipe sets on a stage."""

from __future__ import annotations

from collections import Counter

from winnowry.core.errors import TooManyErrorsError
from winnowry.promotion.request import Request


def refuse_many_errors(request: Request, errors: Counter[str], total: int) -> None:
    """Stop a stage in which operators crash on more rows than the recipe allows.

    Args:
        request: the stage.
        errors: rows that crashed, by operator.
        total: rows that the stage was given.

    Raises:
        TooManyErrorsError: more than ``limits.max_error_fraction`` of them crashed.
    """
    allowed = request.recipe.limits.max_error_fraction * total
    if errors.total() > max(allowed, 0):
        crashed = {f"{name}: error": n for name, n in errors.items()}
        raise TooManyErrorsError(
            f"{request.label}: {errors.total()} of {total} rows crashed an operator "
            f"({crashed}); limits.max_error_fraction allows {allowed:.0f}. Nothing was promoted. Fix the operator or "
            "raise the limit; the errors are in the log."
        )
