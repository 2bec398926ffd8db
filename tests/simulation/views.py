"""What helpers may see, in the simulator's own words."""

from collections.abc import Container
from typing import Any

from tests.simulation.phone import words_of

HIDDEN = {
    "households": {"note", "tags", "external_id"},
    "residents": {"note", "tags", "external_id", "birth_date", "registered_here", "emergency_contact"},
    "visits": {"note", "needs", "persons_met"},
    "conflicts": {"held", "candidates", "base"},
    "cases": {"area_id", "parties", "matter", "agreement"},
}
"""Collection → fields that are nobody's but the staff's, or a team's."""
MASKED = {"residents": ("name", "phone", "id_number")}


def hidden_in(page: dict[str, Any], masked: Container[int]) -> list[str]:
    """What a page shows in these feeds that helpers must not see."""
    found = []
    for change in page.get("changes", ()):
        if change["feed"] in masked:
            name, fields = change["collection"], change.get("fields", {})
            found += [f"{name}.{field}" for field in HIDDEN.get(name, set()) & fields.keys()]
            found += [f"{name}.{field}" for field in MASKED.get(name, ()) if words_of(fields.get(field))]
    return found
