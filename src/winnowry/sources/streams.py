"""What readers of compressed streams share: why a stream breaks off, and how much it may inflate."""

from __future__ import annotations

from winnowry.sources.base import ReadLimits


class BrokenStreamError(Exception):
    """The rest of a stream cannot be decompressed.

    Args:
        reason: ``truncated_gzip``, ``bad_gzip``, ``truncated_zstd``, ``bad_zstd`` or ``compression_ratio``.
        value: what is there.
        threshold: what was allowed.
    """

    def __init__(self, reason: str, value: str | None = None, threshold: str | None = None) -> None:
        self.reason, self.value, self.threshold = reason, value, threshold
        super().__init__(f"{reason}: {value}")


class CompressionRatio:
    """Watches how much a stream inflates; :meth:`add` raises where it is more than the limits allow."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self.bytes_in = self.bytes_out = 0

    def add(self, bytes_in: int, bytes_out: int) -> None:
        """Count bytes read and written."""
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        limits = self._limits
        if self.bytes_out > limits.ratio_applies_above_bytes:
            ratio = self.bytes_out / max(self.bytes_in, 1)
            if ratio > limits.max_compression_ratio:
                raise BrokenStreamError("compression_ratio", f"{ratio:.0f}", f"{limits.max_compression_ratio:g}")
