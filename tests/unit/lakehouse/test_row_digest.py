"""The digest of rows does not depend on how they come in batches, and holds few of them however long they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from winnowry.lakehouse import seal
from winnowry.lakehouse.seal import RowDigest

ROWS = pa.RecordBatch.from_pylist([{"id": str(n), "text": "x" * (n % 50) if n % 7 else None} for n in range(3000)])


def digest_of(cut: int) -> RowDigest:
    digest = RowDigest()
    for start in range(0, ROWS.num_rows, cut):
        digest.add(ROWS.slice(start, cut))
    return digest


@pytest.mark.parametrize("most_bytes", [64 << 20, 500, 1])
def test_it_is_the_same_however_rows_are_cut(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_BATCH_BYTES", most_bytes)
    assert len({digest_of(cut).hexdigest() for cut in (1, 10, 1000, 1024, 3000)}) == 1


def test_short_rows_have_the_digest_that_versions_without_a_bound_on_bytes_gave_them() -> None:
    assert digest_of(700).hexdigest() == "578ddc422b0b6b9ab7f4586c043c9774a471c0e49b06cf45646bd4afd048cf25"


def test_long_rows_do_not_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "_BATCH_BYTES", 1000)
    digest = RowDigest()
    for start in range(0, 900, 30):
        digest.add(ROWS.slice(start, 30))
        assert digest._bytes < 4000
