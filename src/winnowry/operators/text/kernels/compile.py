"""How the kernels of operators are compiled: as all kernels are."""

from __future__ import annotations

from winnowry.core.compile import at, inline, kernel

__all__ = ["at", "inline", "kernel"]
