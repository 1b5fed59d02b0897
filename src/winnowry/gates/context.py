"""A Great Expectations context in memory, with one data source: the candidate, answered by Lance."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent import PandasDatasource

from winnowry.gates.engine import LanceExecutionEngine
from winnowry.gates.native import gx


class LanceDatasource(PandasDatasource):
    """The pandas data source of Great Expectations with another engine; its data frame only names the columns."""

    type: Literal["lance"] = "lance"  # type: ignore[assignment]
    execution_engine_override: ClassVar[Any] = LanceExecutionEngine


def new_context() -> tuple[Any, Any]:
    """Make a context that knows nothing of earlier runs (10 ms).

    Returns:
        The context, and the batch definition of the candidate.
    """
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            data_docs_sites={},
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    _accept_numpy(context)
    source = context.data_sources.add_lance(name="lake")
    asset = source.add_dataframe_asset(name="candidate")
    return context, asset.add_batch_definition_whole_dataframe("candidate")


def _accept_numpy(context: Any) -> None:
    """Let results hold numpy's booleans.

    Great Expectations 1.24 puts ``numpy.bool`` into results of the quantile expectation, then fails to store them.
    """

    def dumps(value: Any, **arguments: Any) -> str:
        return json.dumps(value, **{**arguments, "default": lambda item: item.item()})

    schema = context.validation_results_store._expectationSuiteValidationResultSchema
    schema.opts = SimpleNamespace(
        **{**vars(schema.opts), "render_module": SimpleNamespace(dumps=dumps, loads=json.loads)}
    )
