"""A Great Expectations context in memory, with one data source: the candidate, answered by Lance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar, Literal

from great_expectations.core.freshness_diagnostics import (
    CheckpointFreshnessDiagnostics,
    ExpectationSuiteFreshnessDiagnostics,
    ValidationDefinitionFreshnessDiagnostics,
)
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent import PandasDatasource

from winnowry.gates.engine import LanceExecutionEngine
from winnowry.gates.native import ExpectationSuite, ValidationDefinition, gx


class LanceDatasource(PandasDatasource):
    """The pandas data source of Great Expectations with another engine; its data frame only names the columns."""

    type: Literal["lance"] = "lance"  # type: ignore[assignment]
    execution_engine_override: ClassVar[Any] = LanceExecutionEngine


class OneUseSuite(ExpectationSuite):
    """A suite made for one run: nobody else can have changed it, so nothing is asked of the store that holds it.

    Great Expectations compares suite, validation definition and checkpoint with their stored copies five times a run
    and suite, which takes as long as judging the data.
    """

    def is_fresh(self) -> ExpectationSuiteFreshnessDiagnostics:
        """Always."""
        return ExpectationSuiteFreshnessDiagnostics(errors=[])


class OneUseDefinition(ValidationDefinition):
    """Suite and data of one run; see :class:`OneUseSuite`.

    Its results go to the checkpoint's result and nowhere else: the store of a context that ends with the run would
    only turn them into JSON, and fails on the ``numpy.bool`` that Great Expectations 1.24 puts into results of the
    quantile expectation.
    """

    @property
    def _validation_results_store(self) -> Any:
        return SimpleNamespace(cloud_mode=False, store_validation_results=lambda **_: None)

    def is_fresh(self) -> ValidationDefinitionFreshnessDiagnostics:
        """Always."""
        return ValidationDefinitionFreshnessDiagnostics(errors=[])


class OneUseCheckpoint(gx.Checkpoint):
    """The checkpoint of one run; see :class:`OneUseSuite`."""

    def is_fresh(self) -> CheckpointFreshnessDiagnostics:
        """Always."""
        return CheckpointFreshnessDiagnostics(errors=[])


def new_batch() -> Any:
    """The batch definition of the candidate, in a context that knows nothing of earlier runs (10 ms)."""
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            data_docs_sites={},
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    source = context.data_sources.add_lance(name="lake")
    asset = source.add_dataframe_asset(name="candidate")
    return asset.add_batch_definition_whole_dataframe("candidate")
