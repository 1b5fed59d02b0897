"""Great Expectations, imported once per process and kept quiet.

Import this module only where a gate runs: the import takes seconds. Everything else in ``winnowry`` imports lazily.
"""

from __future__ import annotations

import logging
import os
import warnings

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read while great_expectations is imported

_showwarning = warnings.showwarning

import great_expectations as gx  # noqa: E402
import great_expectations.expectations as gxe  # noqa: E402
from great_expectations.core.expectation_suite import ExpectationSuite  # noqa: E402
from great_expectations.core.validation_definition import ValidationDefinition  # noqa: E402
from great_expectations.exceptions import MetricResolutionError  # noqa: E402
from great_expectations.execution_engine import PandasExecutionEngine  # noqa: E402
from great_expectations.expectations.metadata_types import FailureSeverity  # noqa: E402
from great_expectations.expectations.row_conditions import (  # noqa: E402
    AndCondition,
    ComparisonCondition,
    NullityCondition,
    OrCondition,
    PassThroughCondition,
    deserialize_row_condition,
)

if warnings.showwarning is not _showwarning:
    # Great Expectations sends every warning of the process to logging; hosts decide that, not libraries.
    logging.captureWarnings(False)

__all__ = [
    "AndCondition",
    "ComparisonCondition",
    "ExpectationSuite",
    "FailureSeverity",
    "MetricResolutionError",
    "NullityCondition",
    "OrCondition",
    "PandasExecutionEngine",
    "PassThroughCondition",
    "ValidationDefinition",
    "deserialize_row_condition",
    "gx",
    "gxe",
]
