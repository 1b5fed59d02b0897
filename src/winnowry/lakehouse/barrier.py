"""A point between two steps that tests can stop at, to let a rival in or to die there."""

from __future__ import annotations

from collections.abc import Callable


class Barrier:
    """Does nothing outside tests.

    Attributes:
        hook: called with the name of the point, e.g. ``looked-up:cleaned``.
    """

    hook: Callable[[str], None] | None = None

    def reach(self, point: str) -> None:
        """Announce a point."""
        if self.hook is not None:
            self.hook(point)


barrier = Barrier()
