"""What is written at the server's own command line: through the same write path, without a person."""

from collections.abc import Iterable, Sequence
from typing import TypedDict
from uuid import UUID

from app.areas import Area, find_area, placed
from app.batch import Actor, Incoming
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.incoming import Arrived
from app.problems import Problem, require_taken
from app.receive import receive
from app.writes import Write, as_arrived
from sync.wire import Fields

OPERATOR = Actor(None)
BATCH = 500


class Item(TypedDict):
    """One record to create. `home` is None for an area, whose home follows from its place."""

    collection: str
    record: str
    home: str | None
    fields: Fields


async def add_area(
    context: Context, *, code: str | None, name: str, level: str, parent_code: str | None = None
) -> UUID:
    """A new area of the tree; without a parent, the root of a new one. Raises reference_not_found."""
    id = context.seams.new_id()

    async def work(transaction: Transaction) -> None:
        parent = await find_area(transaction, parent_code) if parent_code else None
        if parent_code and parent is None:
            raise Problem("reference_not_found")
        fields: Fields = {
            "parent_id": str(parent.id) if parent else None,
            "level": level,
            "name": name,
            "code": code,
        }
        home = placed(id, fields, parent).home
        await _create(transaction, context, home, [as_arrived(context, _write("areas", home, id, fields))])

    await context.database.run(work)
    return id


async def create_all(context: Context, items: Iterable[Item]) -> None:
    """Creates records in their order, in batches of one home; areas first, since they open feeds."""
    batch: list[Arrived] = []
    areas: dict[str, Area] = {}
    of: tuple[UUID, bool] | None = None
    for item in items:
        id = UUID(item["record"])
        if item["home"] is None:
            areas[item["record"]] = placed(id, item["fields"], areas.get(str(item["fields"].get("parent_id"))))
        home = UUID(item["home"]) if item["home"] else areas[item["record"]].home
        now = home, item["collection"] == "areas"
        if of is not None and (now != of or len(batch) >= BATCH):
            await _flush(context, of[0], batch)
            batch = []
        of = now
        batch.append(as_arrived(context, _write(item["collection"], home, id, item["fields"])))
    if of is not None:
        await _flush(context, of[0], batch)


async def create_in(
    transaction: Transaction, context: Context, area: Area, collection: str, many: Sequence[Fields]
) -> None:
    """Creates records that lie in one area, up to a batch of them, in the caller's transaction."""
    said: list[Fields] = [{**fields, "area_id": str(area.id)} for fields in many]
    batch = [as_arrived(context, _write(collection, area.home, context.seams.new_id(), fields)) for fields in said]
    await _create(transaction, context, area.home, batch)


def _write(collection: str, home: UUID, id: UUID, fields: Fields) -> Write:
    return Write(COLLECTIONS[collection], home, id, "create", 0, fields)


async def _flush(context: Context, home: UUID, batch: list[Arrived]) -> None:
    await context.database.run(lambda transaction: _create(transaction, context, home, batch))


async def _create(transaction: Transaction, context: Context, home: UUID, batch: Sequence[Arrived]) -> None:
    done = await receive(transaction, context, OPERATOR, Incoming(home, batch))
    require_taken(done.outcomes)
