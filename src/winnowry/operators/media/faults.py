"""What is wrong with bytes that should be a picture, a sound or a film."""

from __future__ import annotations

from winnowry.core.errors import DataError


class DecodeError(DataError):
    """Bytes that are not what they should be: a reason in words, short enough for a column."""
