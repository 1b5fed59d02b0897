"""Which specification the values of a column come from, at a version of its table."""

from __future__ import annotations

from typing import Any

from winnowry.columns.definitions import Definition
from winnowry.columns.spec import ColumnSpec
from winnowry.lakehouse.columns import column_versions
from winnowry.lakehouse.table import Table


def spec_in(table: Table, dataset: Any, definition: Definition) -> ColumnSpec:
    """The specification that readers of a version see.

    The definition is written after the commit that puts new values in place of old ones; between the two the table
    itself knows better.
    """
    if definition.next is None:
        return definition.spec
    known = {definition.spec.version: definition.spec, definition.next.version: definition.next}
    made = (by for _, by in column_versions(table, dataset, definition.table_version or 0))
    return next((known[by] for by in made if by in known), definition.spec)
