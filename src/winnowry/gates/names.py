"""Names of expectations."""

from __future__ import annotations

import re

_START_OF_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def type_of(class_name: str) -> str:
    """An expectation's type as Great Expectations makes it from the name of its class.

    >>> type_of("ExpectColumnValuesToMatchRegex")
    'expect_column_values_to_match_regex'
    """
    return _START_OF_WORD.sub("_", class_name).lower()
