"""How kernels are compiled: once per machine where a cache can be written, else once per process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

_T = TypeVar("_T", bound=np.generic)
_F = TypeVar("_F", bound=Callable[..., Any])


def kernel(function: _F) -> _F:
    """Compile a function on its first call, without the GIL.

    The machine code is cached in ``NUMBA_CACHE_DIR``, beside the module, or in the user's cache folder, whichever can
    be written first; where none can, the function is compiled again in every process.
    """
    try:
        return cast(_F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available": read-only installation without a home
        return cast(_F, numba.njit(nogil=True)(function))


def inline(function: _F) -> _F:
    """Compile a small function into the kernels that call it."""
    return cast(_F, numba.njit(inline="always")(function))


@inline
def at(values: npt.NDArray[_T], place: int | np.integer[Any]) -> _T:
    """An element at a place that is not negative; so the compiler needs no test whether to count from the end."""
    element: _T = values[np.uint64(place)]
    return element
