"""Views: how much of a record an audience sees. The view stands beside the field; what says nothing is hidden.

Masking is as WeChat's security guide asks: 王*四, of a phone the first three and the last two digits, of an ID number
the first and the last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from sync.wire import MASKED, Fields

HELPER = MASKED
Mask = Callable[[JsonValue], JsonValue]


@dataclass(frozen=True)
class SeenByHelpers:
    """Beside a field: helpers see it, through this mask."""

    mask: Mask


def whole(value: JsonValue) -> JsonValue:
    """All of it."""
    return value


def masked_name(value: JsonValue) -> JsonValue:
    """王*四, 李*; of a longer name the first and the last character."""
    if not isinstance(value, str) or not value:
        return value
    return f"{value[0]}*" if len(value) <= 2 else f"{value[0]}{'*' * (len(value) - 2)}{value[-1]}"


def masked_phone(value: JsonValue) -> JsonValue:
    """The first three characters and the last two."""
    return _masked(value, 3, 2)


def masked_number(value: JsonValue) -> JsonValue:
    """The first character and the last."""
    return _masked(value, 1, 1)


def _masked(value: JsonValue, first: int, last: int) -> JsonValue:
    if not isinstance(value, str) or not value:
        return value
    hidden = len(value) - first - last
    return f"{value[:first]}{'*' * hidden}{value[-last:]}" if hidden > 0 else "*" * len(value)


def seen_through(view: Mapping[str, Mask] | None, fields: Fields) -> Fields:
    """The fields as a view shows them; without one, as they are."""
    if view is None:
        return fields
    return {name: mask(fields[name]) for name, mask in view.items() if name in fields}
