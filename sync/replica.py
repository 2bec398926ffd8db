"""The phone's half, without I/O: the executable specification of every client.

A person writes (create, edit, delete, resolve) and looks (shown, conflicts, refusals); whoever carries
the bytes asks for the next request and gives back its answer. Every method is one transaction of the
store, and nothing is kept anywhere else: a phone may be killed between any two lines.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from sync import corrections, exchange, outbox, shown
from sync.copies import Copies
from sync.corrections import NotRefused
from sync.days import DAY_BEGINS
from sync.entries import Entry, Key
from sync.exchange import Answered, Request
from sync.outbox import AlreadyShown, NotOpen, NotShown
from sync.outcomes import send_the_log_of_another_replica
from sync.phone import Phone, opened
from sync.seams import Seams
from sync.shown import Shown
from sync.store import Store
from sync.wire import DEFAULT_PAGE, MOST_MUTATIONS, Fields, ProblemBody

__all__ = [
    "AlreadyShown",
    "Answered",
    "Key",
    "NotOpen",
    "NotRefused",
    "NotShown",
    "OtherPersonsOutbox",
    "Refused",
    "Replica",
    "Request",
    "Shown",
    "Status",
]


class OtherPersonsOutbox(RuntimeError):
    """This phone holds what somebody else wrote and the server doesn't have; only they may sign in."""


@dataclass(frozen=True)
class Refused:
    """A mutation that the server didn't take, as its person reads it."""

    id: UUID
    key: Key
    op: str
    fields: Fields
    problem: ProblemBody
    made_at: datetime


@dataclass(frozen=True)
class Status:
    """How this phone stands."""

    person: str | None
    replica: str | None
    unsent: int
    oldest_at: datetime | None
    in_flight: int
    refused: int
    conflicts: int
    up_to_date: bool
    """Everything was sent, and a complete page came since a sync was last asked for."""
    completed_at: datetime | None
    """When a complete page last took effect, by the phone's clock."""
    rereads: int
    """Feeds that had to be read a second time because their copies didn't add up."""
    differing: int
    """Feeds whose copies don't add up now."""
    recovering: bool
    blocked_by: str | None
    """The code of the problem that stands in the way of syncing; None when nothing does."""
    day_begins: int
    """O'clock in China: what is earlier belongs to the day before, as `day_of` and `duty_list` want it."""


class Replica:
    """One installation's copy of what its person may see, and of what they wrote."""

    def __init__(self, store: Store, seams: Seams, page_limit: int = DEFAULT_PAGE) -> None:
        self._store, self._seams, self._page_limit = store, seams, page_limit

    # What its person writes.

    def create(self, collection: str, home: UUID, fields: Fields, record: UUID | None = None) -> Key:
        """A new record, shown at once. Raises AlreadyShown, NotCanonical."""
        with self._opened() as phone:
            return outbox.create(phone, collection, home, fields, record)

    def edit(self, key: Key, fields: Fields) -> None:
        """Changes the fields named; a set by `{add, remove}`, a total by `{increment}`.

        Raises NotShown, NotCanonical.
        """
        with self._opened() as phone:
            outbox.edit(phone, key, fields)

    def delete(self, key: Key) -> None:
        """Raises NotShown."""
        with self._opened() as phone:
            outbox.delete(phone, key)

    def resolve(self, conflict: Key, value: JsonValue) -> None:
        """Settles a conflict, online or not. Raises NotShown, NotOpen, NotCanonical."""
        with self._opened() as phone:
            outbox.resolve(phone, conflict, value)

    def correct(self, mutation: UUID, fields: Fields) -> None:
        """A refused mutation once more, with these fields. A create needs all of them; what depended on it
        is queued again with it. Raises NotRefused, NotShown, NotCanonical."""
        with self._opened() as phone:
            corrections.correct(phone, mutation, fields)

    def dismiss(self, mutation: UUID) -> None:
        """A refusal has been read and is let go. Raises NotRefused."""
        with self._opened() as phone:
            corrections.dismiss(phone, mutation)

    # What its person sees.

    def shown(self, key: Key) -> Shown | None:
        """The record, with everything unsent on top; None where there is none to see."""
        return shown.find_shown(self._read(), key)

    def shown_all(self, collection: str) -> Iterator[Shown]:
        """Every record of a collection, in key order, one in memory at a time. Writing meanwhile is allowed."""
        return shown.all_shown(self._read(), collection)

    def conflicts(self) -> Iterator[Shown]:
        """Those that wait for a person, as shown: one that is resolved here has left already."""
        return (one for one in self.shown_all(outbox.CONFLICTS) if one.fields.get("state") == "open")

    def refusals(self) -> list[Refused]:
        """What the server didn't take, in the order it was written, until it is corrected or dismissed."""
        return [_as_refused(entry) for entry in self._read().entries.marked("refused")]

    def status(self) -> Status:
        """How this phone stands."""
        phone = self._read()
        meta, entries = phone.meta, phone.entries
        oldest = next(entries.marked("unsent"), None)
        return Status(
            person=meta.person,
            replica=meta.replica,
            unsent=entries.unsent_count(),
            oldest_at=oldest.made_at if oldest else None,
            in_flight=sum(1 for _ in entries.marked("flying")),
            refused=sum(1 for _ in entries.marked("refused")),
            conflicts=sum(1 for _ in self.conflicts()),
            up_to_date=phone.up_to_date,
            completed_at=meta.completed_at,
            rereads=meta.rereads,
            differing=sum(feed.differs for feed in phone.copies.feeds()),
            recovering=meta.recovering,
            blocked_by=meta.blocked_by,
            day_begins=meta.day_begins,
        )

    def copies(self) -> Copies:
        """What the server gave, nothing of this person's on top."""
        return self._read().copies

    # The conversation.

    def want_sync(self) -> None:
        """Somebody asks for a sync: there is something to send or to ask until a page is complete."""
        with self._opened() as phone:
            meta = phone.meta
            meta.wanted_since = meta.serial
            meta.pull_off, meta.batch = False, MOST_MUTATIONS
            meta.reread = [feed.feed for feed in phone.copies.feeds() if feed.differs]
            meta.reread_asked = [*meta.reread]

    def next_request(self) -> Request | None:
        """What to send now; None when there is nothing to say. What was handed out and not answered is in
        the next one again, word for word."""
        with self._opened() as phone:
            return exchange.find_next_request(phone)

    def answer(self, request: Request, status: int, content_type: str, body: bytes) -> Answered:
        """What the server said to a request. An answer that never came needs no call."""
        with self._opened() as phone:
            answered = exchange.take_any_answer(phone, request, status, content_type, body)
            meta = phone.meta
            if answered.problem and answered.verdict != "retry":
                meta.blocked_by = answered.problem.code
            elif answered.verdict == "ok" and not (meta.revoked or meta.pull_off):
                meta.blocked_by = None
            return answered

    # Who its person is.

    def require_may_sign_in(self, person: UUID | str) -> None:
        """Raises OtherPersonsOutbox where somebody else's writing is on this phone alone."""
        phone = self._read()
        if phone.meta.person not in (None, str(person)) and phone.entries.any("unsent", "again"):
            raise OtherPersonsOutbox

    def sign_in(self, person: UUID | str, replica: UUID | str, day_begins: int = DAY_BEGINS) -> None:
        """The same person keeps everything; another one starts with nothing. Raises OtherPersonsOutbox.

        `day_begins` is the hour that the server answered when it registered the phone.
        """
        self.require_may_sign_in(person)
        with self._opened() as phone:
            meta = phone.meta
            if meta.person not in (None, str(person)):
                phone.forget_everything()
            if meta.replica != str(replica):
                meta.received = 0
                send_the_log_of_another_replica(phone)
            meta.person, meta.replica, meta.day_begins = str(person), str(replica), day_begins
            meta.revoked, meta.blocked_by, meta.deaf_until = False, None, meta.serial

    def tokens(self) -> tuple[str, str] | None:
        """(access, refresh); None when nobody is signed in."""
        meta = self._read().meta
        both = meta.access_token, meta.refresh_token
        return (both[0], both[1]) if both[0] and both[1] else None

    def keep_tokens(self, access_token: str, refresh_token: str) -> None:
        """On disk when this returns: a refresh token is kept before it is used."""
        with self._opened() as phone:
            phone.meta.access_token, phone.meta.refresh_token = access_token, refresh_token

    def _opened(self) -> AbstractContextManager[Phone]:
        return opened(self._store, self._seams, self._page_limit)

    def _read(self) -> Phone:
        return Phone.on(self._store, self._seams)


def _as_refused(entry: Entry) -> Refused:
    problem = entry.outcome.problem if entry.outcome else None
    return Refused(
        id=entry.id,
        key=entry.key,
        op=entry.op,
        fields=entry.content(),
        problem=problem or ProblemBody(code="refused", title="refused"),
        made_at=entry.made_at,
    )
