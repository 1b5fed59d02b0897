"""Columns added to living tables: ``columns`` of a recipe."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, field_validator

from winnowry.recipe.base import RecipePart
from winnowry.recipe.operators import AnyOperator, read_operator

ColumnTable = Literal["raw", "cleaned", "scored", "published"]


class AddedColumn(RecipePart):
    """A column added to a table that is there: computed beside it, gated, and only then seen.

    Give one of `sql`, `operator` and `python`. Rows that come later get the column before they are seen. A changed
    definition is computed beside the old values and takes their place in one commit.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="name of the column")
    table: ColumnTable = Field(default="published", description="the table")
    sql: str | None = Field(default=None, min_length=1, description="SQL expression over the table's columns")
    operator: AnyOperator | None = Field(default=None, description="operator that computes it, e.g. `{op: text.lines}`")
    python: str | None = Field(
        default=None,
        pattern=r"^.+:[A-Za-z_][A-Za-z0-9_]*$",
        description="`FILE:FUNCTION`, the file relative to the recipe; the parameters name the columns it reads",
    )
    type: str | None = Field(default=None, description="Arrow type of a `python` column, e.g. float64")
    where: str | None = Field(default=None, min_length=1, description="SQL predicate; other rows have null")
    max_null_fraction: float = Field(
        default=0.0, ge=0, le=1, description="largest share of those rows that may be null or NaN"
    )

    on_error: Literal["fail", "null"] = Field(
        default="fail", description="a row that the function fails on stops everything, or has no value"
    )
    batch_rows: int | None = Field(default=None, ge=1, description="rows given to the function at once")
    workers: int | None = Field(default=None, ge=1, description="processes that compute it; 1 for a GPU")
    timeout_s: float = Field(default=900.0, ge=0, description="seconds a function may take for a batch; 0: no limit")

    @field_validator("operator", mode="before")
    @classmethod
    def _operator(cls, value: Any) -> Any:
        return None if value is None else read_operator(value)

    @property
    def stage(self) -> str:
        """What plans, runs and assets call it: ``TABLE.NAME``."""
        return f"{self.table}.{self.name}"

    @property
    def computed_by(self) -> str:
        """How it is computed, in Markdown."""
        if self.sql is not None:
            return f"SQL `{self.sql}`"
        if self.operator is not None:
            return f"operator `{self.operator.op}`"
        return f"function `{str(self.python).rpartition('/')[2]}`"

    def fingerprint(self) -> dict[str, Any]:
        """What its values depend on, as far as the recipe knows; a file by its name, not by its folder."""
        spec = self.model_dump(mode="json", exclude={"operator", "python", "batch_rows", "workers", "timeout_s"})
        if self.operator is not None:
            spec["operator"] = self.operator.fingerprint()
        if self.python is not None:
            file, _, function = self.python.rpartition(":")
            spec["python"] = f"{PurePath(file).name}:{function}"
        return spec
