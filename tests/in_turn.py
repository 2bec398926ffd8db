"""Collections whose routes are made alike: a long test tries each of them on one store or the other, in turn.

`@pytest.mark.in_turn(collection, nth)` marks the `nth` of the things that such a test tries of a collection: each of
them is tried on both stores, by half of the collections, and each collection on both.
"""

import pytest

from app.collections import COLLECTIONS

STORES = ("sqlite", "postgres")
OWN_WAYS = {"conflicts", "duplicates", "households", "residents", "visits", "areas"}
"""With routes, rules or references that no other has: they are tried on both."""
ALIKE = sorted(COLLECTIONS.keys() - OWN_WAYS)


def is_in_turn(item: pytest.Item) -> bool:
    """Is it one to be tried on its store?"""
    mark = item.get_closest_marker("in_turn")
    if mark is None or not isinstance(item, pytest.Function) or mark.args[0] not in ALIKE:
        return True
    collection, nth = mark.args
    other_store = STORES[(ALIKE.index(collection) + nth + 1) % 2]
    return other_store not in item.callspec.params.values()
