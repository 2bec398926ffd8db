"""What the routes of a collection can answer, from its declaration and the route's name."""

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.contract import (
    PARSED_BODY,
    READ_BODY,
    SIGNED_IN,
    STORED,
    UNFIT_FIELD,
    UNFIT_VALUE,
    Codes,
    Responses,
    answers,
    succeeds,
)

_SEEN: Codes = ("bad_request", "not_found")
_LOCKED: Codes = (*_SEEN, "stale", "already_there", "mutation_reused")
_WRITTEN: Codes = (*READ_BODY, *UNFIT_VALUE, *UNFIT_FIELD, "not_storable", "mutation_reused")
_CHANGED: Codes = (*_LOCKED, "not_permitted")
_CREATED: Codes = (*_SEEN, *_WRITTEN, "unknown_field", "reference_not_found", "id_invalid", "id_taken")
_RESOLVED: Codes = (*_WRITTEN, *_CHANGED)
_PUT: Codes = (*_CREATED, *_CHANGED)
_MERGED: Codes = ("bad_json", "merge_into_itself", "merge_across", "reference_not_found", "not_storable")

_CODES: dict[str, Codes] = {
    "list_all": ("bad_request",),
    "read": _SEEN,
    "history": _SEEN,
    "create": _CREATED,
    "put": _PUT,
    "patch": (*_WRITTEN, *_CHANGED, "unknown_field", "reference_not_found"),
    "delete": _CHANGED,
    "override": _PUT,
    "merge": (*PARSED_BODY, *_CHANGED, *_MERGED),
    "resolve": (*_RESOLVED, "already_resolved", "mutation_invalid", "reference_not_found", "area_without_feed"),
}
_SUCCESSES: dict[str, Responses] = {
    "list_all": succeeds(200, "Link"),
    "read": succeeds(200, "ETag") | succeeds(304, "ETag"),
    "history": succeeds(200),
    "create": succeeds(201, "ETag", "Location"),
    "put": succeeds(200, "ETag") | succeeds(201, "ETag", "Location"),
    "patch": succeeds(200, "ETag"),
    "delete": succeeds(204),
    "override": succeeds(200, "ETag") | succeeds(201, "ETag", "Location") | succeeds(204),
    "merge": succeeds(200, "ETag"),
    "resolve": succeeds(200, "ETag"),
}


def answers_of(collection: Collection, route: str) -> Responses:
    """The `responses` of one route."""
    found = dict(_SUCCESSES[route])
    if route in ("put", "override"):
        found[201] = {**found[201], "model": collection.read}
    codes = _CODES[route]
    own = _own(collection, route) if "invalid" in codes else ()
    erased = ("erased",) if collection.erased_with and route != "list_all" else ()
    return found | answers(SIGNED_IN, STORED, codes, own, erased, _of_merged(collection, route))


def _own(collection: Collection, route: str) -> Codes:
    """What only some collections have reason to refuse."""
    codes = [*collection.refuses]
    changes = route in ("put", "patch", "override")
    policies = {policy.name for policy in collection.rules.policies.values()}
    if collection.audience != "reference" and collection.references.get(collection.lists_in) == "areas":
        codes.append("area_without_feed")
    if collection.given and route in ("create", "put", "override"):
        codes.append("server_gives")
    if changes and policies & {"once", "grows"}:
        codes.append("once_changed")
    if changes and "steps" in policies:
        codes.append("impossible_step")
    return tuple(codes)


def _of_merged(collection: Collection, route: str) -> Codes:
    """What only records have reason to refuse that can be merged."""
    if not collection.same or "not_found" not in _CODES[route] or route == "history":
        return ()
    referred_to = any(collection.name in other.references.values() for other in COLLECTIONS.values())
    return ("merged", "merge_too_large") if route == "merge" and referred_to else ("merged",)
