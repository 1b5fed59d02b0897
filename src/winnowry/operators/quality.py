"""The two families of quality: what people see, hear and read, and what a machine gets out of a record.

They are never one number. A column of an operator may be of one family or of none: most facts say nothing of quality.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Family = Literal["people", "machine"]
FAMILIES: tuple[Family, ...] = get_args(Family)


class Quality(NamedTuple):
    """What a column says of quality.

    Attributes:
        family: whose experience it is about.
        better: the end that is better; None where neither is, e.g. of brightness.
    """

    family: Family
    better: Literal["higher", "lower"] | None = None
