"""Rows of a release as conversations and pairs that trainers read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from winnowry.core.errors import UsageError
from winnowry.records.conversations import CONVERSATION, PREFERENCE
from winnowry.records.rows import Losses, messages_row, preference_row, sharegpt_row

if TYPE_CHECKING:
    import pyarrow as pa

    from winnowry.lakehouse.view import TableView
    from winnowry.releases.tc609_export import Shape

Form = Literal["messages", "sharegpt", "preference"]

_Row = Callable[[Mapping[str, Any], Losses], dict[str, Any]]
_FORMS: dict[Form, tuple[tuple[pa.Field, ...], _Row, tuple[str, ...]]] = {
    "messages": (CONVERSATION, messages_row, ("messages", "tools")),
    "sharegpt": (CONVERSATION, sharegpt_row, ("conversations", "system", "tools")),
    "preference": (PREFERENCE, preference_row, ("prompt", "chosen", "rejected")),
}


def record_shape(
    named: str, view: TableView, form: Form, losses: Losses
) -> tuple[Shape, tuple[str, ...], tuple[str, ...]]:
    """Gives the row of a record in a form, the columns that it is made of, and the fields that it has.

    Args:
        named: the release, for messages.
        view: its rows.
        form: of the rows.
        losses: counts what the form cannot say, as rows are made.

    Raises:
        UsageError: the release holds no such records.
    """
    fields, shape, written = _FORMS[form]
    lacking = [field.name for field in fields if field.name not in view.schema.names]
    if lacking:
        kind = "pairs" if form == "preference" else "conversations"
        raise UsageError(f"{named} cannot be written as {form}: it holds no {kind} (no column {lacking[0]!r})")
    columns = ("record_id", *(field.name for field in fields))
    return (lambda row: shape(row, losses)), columns, written
