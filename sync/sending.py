"""What goes up: one home a push, what was sent before first and unchanged, at most one mutation of a
record in flight, within the server's limits. What is handed out is marked as flying first."""

import heapq
from collections.abc import Iterator
from uuid import UUID

from sync.entries import Entry, Key
from sync.phone import Phone
from sync.wire import MOST_PUSH_BYTES, PROTOCOL, Mutation, Outbox, PushBody

_MARGIN_BYTES = 16 * 1024
"""For the words around the mutations, the cursor above all."""


class _Room:
    """How much a push still holds."""

    def __init__(self, mutations: int) -> None:
        self._mutations, self._bytes = mutations, MOST_PUSH_BYTES - _MARGIN_BYTES
        self.empty = True

    def take(self, mutation: Mutation) -> bool:
        """The first always fits: if the server finds it too large by itself, it is refused here."""
        size = len(as_json(mutation)) + 1
        if not self.empty and (self._mutations < 1 or self._bytes < size):
            return False
        self.empty = False
        self._mutations, self._bytes = self._mutations - 1, self._bytes - size
        return True


def next_push(phone: Phone) -> PushBody:
    """The push to send now, its mutations marked as flying."""
    batch = list(_next_batch(phone))
    for entry in batch:
        if entry.state == "waiting":
            phone.entries.put(entry.model_copy(update={"state": "flying"}))
    oldest = next(phone.entries.marked("unsent"), None)
    return PushBody(
        protocol=PROTOCOL,
        epoch=phone.meta.epoch,
        home=batch[0].key.home if batch else None,
        sent_at=phone.seams.now(),
        outbox=Outbox(depth=phone.entries.unsent_count(), oldest_at=oldest.made_at if oldest else None),
        received=phone.meta.received,
        mutations=[entry.as_wire(phone.meta.epoch) for entry in batch],
    )


def as_json(mutation: Mutation) -> bytes:
    """As it travels: what isn't said is left out, what is unknown is said to be null."""
    return mutation.model_dump_json(exclude_unset=True).encode()


def _next_batch(phone: Phone) -> Iterator[Entry]:
    # 1. The home of the oldest that may already be on its way; else of the oldest of all.
    first = next(_sent_before(phone), None) or next(phone.entries.marked("unsent"), None)
    if first is None:
        return
    room = _Room(phone.meta.batch)
    # 2. What was sent before, in its order and word for word.
    for entry in _sent_before(phone):
        if entry.key.home == first.key.home:
            if not room.take(entry.as_wire(phone.meta.epoch)):
                return
            yield entry
    # 3. What waits, unless something older of the same record hasn't been answered.
    yield from _sendable(phone, first.key.home, room)


def _sendable(phone: Phone, home: UUID, room: _Room) -> Iterator[Entry]:
    busy: set[Key] = {key for entry in _sent_before(phone) for key in entry.keys}
    for entry in phone.entries.marked("unsent"):
        if entry.state == "flying" or entry.key.home != home:
            continue
        free = busy.isdisjoint(entry.keys)
        busy.update(entry.keys)
        if free:
            if not room.take(entry.as_wire(phone.meta.epoch)):
                return
            yield entry


def _sent_before(phone: Phone) -> Iterator[Entry]:
    """In flight, or to be sent again to a restored server: in the order they were made."""
    sent = heapq.merge(phone.entries.marked("again"), phone.entries.marked("flying"), key=_place)
    return iter(sent)


def _place(entry: Entry) -> int:
    return entry.place
