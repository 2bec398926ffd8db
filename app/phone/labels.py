"""How records are called: a door by its building and unit, a resident by their name, a code by its words."""

from functools import cached_property

from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.phone.find import short
from app.phone.held import Held
from sync.replica import Key, Shown
from sync.wire import Fields

COLLECTION_WORDS = {name: collection.title for name, collection in COLLECTIONS.items()}
_NAMED_IN = {"building", "unit"}
"""A worker knows the district, the community and the grid."""


class Labels:
    """The words for what lies on one phone, read as they are needed."""

    def __init__(self, held: Held) -> None:
        self._replica = held.replica

    @cached_property
    def areas(self) -> dict[str, Fields]:
        """Every area on the phone, by id."""
        return {str(one.key.record): one.fields for one in self._replica.shown_all("areas")}

    @cached_property
    def codes(self) -> dict[str, str]:
        """code → Chinese name. Two lists may share a code; then they share its sense."""
        return {str(c.fields["code"]): str(c.fields["name"]) for c in self._replica.shown_all("codes")}

    def place(self, area: JsonValue) -> str:
        """Building and unit."""
        return "".join(str(fields["name"]) for fields in self._upwards(area) if fields["level"] in _NAMED_IN)

    def order(self, household: Fields) -> tuple[list[int], int, int, str]:
        """Sorts doors as one walks past them."""
        places = [sort if isinstance(sort := f.get("sort"), int) else 0 for f in self._upwards(household["area_id"])]
        floor, door = household.get("floor"), str(household["door"])
        return places, floor if isinstance(floor, int) else 0, len(door), door

    def code(self, value: JsonValue) -> JsonValue:
        """A code, or each of a list, with its Chinese name."""
        if isinstance(value, list):
            return [self.code(item) for item in value]
        return f"{self.codes[value]} {value}" if isinstance(value, str) and value in self.codes else value

    def record(self, key: Key, fields: Fields) -> str:
        """A record in a few words."""
        if key.collection == "households":
            return f"{self.place(fields.get('area_id'))} {fields.get('door')}"
        if key.collection == "conflicts":
            return f"{self.of(key, fields['of_collection'], fields['of_record'])} · {fields['field']}"
        if key.collection == "duplicates":
            return " ≈ ".join(self.of(key, fields["of_collection"], fields[name]) for name in ("record", "other"))
        if "household_id" in fields:
            who = f"{fields['name']} " if "name" in fields else ""
            return who + self.of(key, "households", fields["household_id"])
        return str(fields.get("name", short(key.record)))

    def of(self, beside: Key, collection: JsonValue, record: JsonValue) -> str:
        """A record that another one of the same home refers to."""
        key = Key.from_path(f"{collection}/{beside.home}/{record}")
        shown = self._replica.shown(key)
        return self.record(key, shown.fields) if shown else short(record)

    def line(self, one: Shown) -> str:
        """A record's label, with its collection and its short id."""
        words = COLLECTION_WORDS.get(one.key.collection, one.key.collection)
        return f"{words} {short(one.key.record)}  {self.record(one.key, one.fields)}"

    def _upwards(self, area: JsonValue) -> list[Fields]:
        """From the widest that is known to the area itself."""
        chain: list[Fields] = []
        while isinstance(area, str) and area in self.areas and len(chain) < len(self.areas):
            chain.append(self.areas[area])
            area = self.areas[area].get("parent_id")
        return chain[::-1]


def field_words(collection: str, field: str) -> str:
    """A field's Chinese name and its own."""
    known = COLLECTIONS.get(collection)
    info = known.read.model_fields.get(field) if known else None
    words = (info.description or "").partition(" · ")[0] if info else ""
    return f"{words} {field}" if words else field
