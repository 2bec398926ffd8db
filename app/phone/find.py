"""Finding a record by as much of its id as a person likes to type.

The front of a version 7 id is its time, alike in all that were made together: the end tells them apart.
"""

from collections.abc import Iterator

from app.phone.held import Held, Trouble
from sync.entries import Key

SHORT = 8
"""Characters of an id's end that are shown."""


def short(id: object) -> str:
    """An id as it is shown and may be typed."""
    return str(id)[-SHORT:]


def get_key(held: Held, typed: str, collection: str | None = None) -> Key:
    """The one record whose id ends, or begins, so. Raises Trouble where there is none, or several."""
    part = typed.replace("-", "").lower()
    keys = {key for key in keys_of(held, collection) if _fits(key, part)} if part else set()
    if not keys:
        raise Trouble("not_found", f"本机没有这条记录：{typed}", f"No record on this phone has this id: {typed}")
    if len(keys) > 1:
        known = f"{len(keys)}"
        raise Trouble(
            "id_ambiguous", f"有 {known} 条记录符合 {typed}，请多输几位", f"{known} records fit {typed}; type more"
        )
    return keys.pop()


def keys_of(held: Held, collection: str | None = None) -> Iterator[Key]:
    """Every record of a collection, or of all, that the server gave or this person wrote."""
    copies = held.replica.copies()
    for name in [collection] if collection else list(copies.collections()):
        yield from copies.listed_keys(name)
        yield from held.entries.written_keys(name)


def _fits(key: Key, part: str) -> bool:
    return key.record.hex.endswith(part) or key.record.hex.startswith(part)
