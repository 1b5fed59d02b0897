"""The metric through which custom expectations read what the pipeline measured."""

from __future__ import annotations

from typing import Any

from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from winnowry.gates.native import PandasExecutionEngine

METRIC = "table.winnowry_facts"


class Facts(TableMetricProvider):
    """Everything that ``run_checkpoint`` was given as ``facts``: ledger, budget, trailing partitions, …"""

    metric_name = METRIC

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, execution_engine: Any, **kwargs: Any) -> Any:
        return execution_engine.facts()
