"""Expectations on facts as Great Expectations' own: the metric that gives them the facts, and what its pages show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import new_class
from typing import Any, ClassVar

from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer

from winnowry.gates.facts import METRIC, ExpectFact
from winnowry.gates.native import PandasExecutionEngine


class Facts(TableMetricProvider):
    """Everything that ``run_checkpoint`` was given as ``facts``: ledger, budget, trailing partitions, …"""

    metric_name = METRIC

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, execution_engine: Any, **kwargs: Any) -> Any:
        return execution_engine.facts()


class ExpectStoredFact(BatchExpectation):
    """What was judged of a fact, for a page: the sentence and its values lie in ``meta``, under :data:`META`."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)

    class Config:
        """The arguments are those of the fact."""

        extra = "allow"

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        raise LookupError("this expectation was judged before, and shows what came of it")

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: Any = None,
        runtime_configuration: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        configuration = configuration or (result.expectation_config if result is not None else None)
        sentence, shown = cls._words(configuration)
        if result is not None and result.result.get("details", {}).get("message"):
            sentence += " Found: $found"
            shown["found"] = result.result["details"]["message"]
        styling = (runtime_configuration or {}).get("styling", {})
        template = {"template": sentence, "params": shown, "styling": styling}
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template=template)]

    @classmethod
    def _words(cls, configuration: ExpectationConfiguration | None) -> tuple[str, dict[str, Any]]:
        meta: Mapping[str, Any] = (configuration.meta if configuration is not None else None) or {}
        stored = meta.get(META, {})
        return str(stored.get("sentence", "")), dict(stored.get("shown", {}))


META = "winnowry"
"""Key of ``meta`` below which a stored fact has ``sentence`` and ``shown``."""


class _NativeFact(ExpectStoredFact):
    """Base of the classes that stand for a subclass of :class:`ExpectFact`."""

    fact: ClassVar[type[ExpectFact]] = ExpectFact

    class Config:
        """As of any expectation."""

        extra = "forbid"

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        arguments = {name: getattr(self, name) for name in self.fact.model_fields if name != "severity"}
        met, observed, message = self.fact(**arguments).judge(metrics[METRIC])
        return {"success": bool(met), "result": {"observed_value": observed, "details": {"message": message}}}

    @classmethod
    def _words(cls, configuration: ExpectationConfiguration | None) -> tuple[str, dict[str, Any]]:
        arguments = dict(configuration.kwargs) if configuration is not None else {}
        fields = cls.fact.model_fields
        return cls.fact.sentence, {key: arguments.get(key, fields[key].default) for key in cls.fact.success_keys}

    @classmethod
    def _prescriptive_template(cls, renderer_configuration: Any) -> Any:
        renderer_configuration.template_str = cls.fact.sentence.replace("$", "")
        return renderer_configuration


def native_fact(fact: ExpectFact) -> BatchExpectation:
    """An expectation on facts as Great Expectations' own, of a class with the same name."""
    made: BatchExpectation = _class_of(type(fact))(**fact.arguments, severity=fact.severity)
    return made


@cache
def _class_of(kind: type[ExpectFact]) -> Any:
    fields = {name: field for name, field in kind.model_fields.items() if name != "severity"}
    body: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": kind.__doc__,
        "__annotations__": dict.fromkeys(fields, Any),
        "fact": kind,
        "success_keys": kind.success_keys,
        "args_keys": kind.args_keys,
    }
    body |= {name: field.default for name, field in fields.items() if not field.is_required()}
    return new_class(kind.__name__, (_NativeFact,), exec_body=lambda namespace: namespace.update(body))
