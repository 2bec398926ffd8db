"""Collections whose routes are made alike: a long test tries each of them on one store or the other, in turn.

Of the things that such a test tries of a collection, every second is tried on one store and the rest on the other; the
next collection begins with the other store. So each thing is tried on both stores, by half of the collections, and
each collection on both. `@pytest.mark.in_turn(collection, nth)` marks the `nth` of them.
"""

import pytest

from app.collections import COLLECTIONS

STORES = ("sqlite", "postgres")
OWN_WAYS = {"conflicts", "duplicates", "households", "residents", "visits", "areas"}
"""With routes, rules or references that no other has: they are tried on both."""
ALIKE = COLLECTIONS.keys() - OWN_WAYS
ORDER = sorted(COLLECTIONS)


def is_turn_of(store: str, collection: str, nth: int = 0) -> bool:
    """Is the `nth` thing that is tried of this collection tried on this store?"""
    return STORES[(ORDER.index(collection) + nth) % 2] == store


def is_in_turn(item: pytest.Item) -> bool:
    """Is it one to be tried on its store?"""
    mark = item.get_closest_marker("in_turn")
    if mark is None or not isinstance(item, pytest.Function) or mark.args[0] not in ALIKE:
        return True
    here = [store for store in STORES if store in item.callspec.params.values()]
    # What is tried once more behind the second wall, which PostgreSQL alone has, is what is tried there anyway.
    return all(is_turn_of(store, *mark.args) for store in here or ["postgres"])
