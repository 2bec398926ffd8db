"""A conflict's life: opened by a contested field, joined by later values, closed by a resolution.

A conflict is itself a record, so that it reaches phones and is resolved offline like anything else.
These functions take and give its fields; they are pure.
"""

from collections.abc import Collection
from uuid import UUID, uuid5

from pydantic import JsonValue

from sync.decide import Contest
from sync.wire import Fields


def conflict_id(mutation: UUID, field: str) -> UUID:
    """UUIDv5 of the first mutation and the field: the same on every server that decides the same."""
    return uuid5(mutation, field)


def opened(collection: str, record: UUID, field: str, contest: Contest) -> Fields:
    """A conflict without candidates yet."""
    return {
        "of_collection": collection,
        "of_record": str(record),
        "field": field,
        "base": contest.base,
        "held": contest.held,
        "candidates": [],
        "state": "open",
        "resolution": None,
        "resolved_by": None,
    }


def joined(
    conflict: Fields, value: JsonValue, *, by: UUID | None, mutation: UUID, rev: int, chain: Collection[UUID]
) -> Fields:
    """With one more candidate, which replaces an earlier one of the same chain; `rev` is the conflict's new one."""
    own = {str(link) for link in (mutation, *chain)}
    candidate: Fields = {
        "value": value,
        "by": str(by) if by else None,
        "mutation": str(mutation),
        "rev": rev,
    }
    kept: list[JsonValue] = [other for other in candidates_of(conflict) if other["mutation"] not in own]
    return {**conflict, "candidates": [*kept, candidate]}


def following(conflict: Fields, held: JsonValue) -> Fields:
    """While a conflict is open, its `held` follows the record."""
    return {**conflict, "held": held}


def resolved(conflict: Fields, value: JsonValue, by: UUID, seen_rev: int) -> Fields:
    """Closed; or still open with the resolution as `held` where candidates came that its writer hadn't seen."""
    newer: list[JsonValue] = [candidate for candidate in candidates_of(conflict) if _rev(candidate) > seen_rev]
    if newer:
        return {**conflict, "held": value, "candidates": newer}
    return {**conflict, "held": value, "state": "closed", "resolution": value, "resolved_by": str(by)}


def candidates_of(conflict: Fields) -> list[Fields]:
    """The values that wait for a person."""
    listed = conflict["candidates"]
    return [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []


def _rev(candidate: Fields) -> int:
    rev = candidate["rev"]
    return rev if isinstance(rev, int) else 0
