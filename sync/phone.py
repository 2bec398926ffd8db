"""What a phone keeps, opened for the length of one transaction. Nothing of it lives anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from sync.copies import Copies
from sync.days import DAY_BEGINS
from sync.entries import Entries
from sync.seams import Seams
from sync.store import Store
from sync.wire import DEFAULT_PAGE, MOST_MUTATIONS

META, STAGED = "meta", "staged"
_STATE = "state"


class Meta(BaseModel):
    """Everything about the conversation that isn't a record or a mutation."""

    # who
    person: str | None = None
    replica: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    revoked: bool = False
    # what the server has said
    day_begins: int = DAY_BEGINS
    epoch: str | None = None
    cursor: str | None = None
    copies_epoch: str | None = None
    """The epoch whose pages made the copies; None where that is unknown."""
    received: int = 0
    server_time: datetime | None = None
    # which request is which
    serial: int = 0
    deaf_until: int = 0
    """Answers to requests up to this serial come from another life of this phone, and are not heard."""
    # pulling
    wanted_since: int | None = None
    """Somebody asked for a sync when this was the serial."""
    staged_cursor: str | None = None
    staged_pages: int = 0
    from_beginning: bool = False
    """What is being staged replaces all copies."""
    reread: list[int] = Field([])
    reread_asked: list[int] = Field([])
    """Feeds that this sync has already asked for a second time."""
    rereads: int = 0
    pull_off: bool = False
    """The server won't be pulled from before the next sync; pushes go on."""
    completed_at: datetime | None = None
    # pushing
    batch: int = MOST_MUTATIONS
    must_push: bool = False
    push_checked: bool = False
    """A push has confirmed epoch and count since the last complete page."""
    recovering: bool = False
    blocked_by: str | None = None

    @property
    def reading_from(self) -> str | None:
        """The cursor that the next page must answer."""
        return self.staged_cursor if self.staged_pages else self.cursor


@dataclass(frozen=True)
class Phone:
    """One phone's memory and its outside world."""

    store: Store
    seams: Seams
    meta: Meta
    entries: Entries
    copies: Copies
    page_limit: int = DEFAULT_PAGE

    @classmethod
    def on(cls, store: Store, seams: Seams, page_limit: int = DEFAULT_PAGE) -> Self:
        """For reading; see opened for writing."""
        kept = store.get(META, _STATE)
        meta = Meta() if kept is None else Meta.model_validate(kept)
        return cls(store, seams, meta, Entries(store), Copies(store), page_limit)

    @property
    def up_to_date(self) -> bool:
        """There is nothing to say."""
        return not (self.wants_to_push or self.wants_a_page)

    @property
    def wants_to_push(self) -> bool:
        """Something is unsent, or the server must be asked what became of it."""
        return self.meta.must_push or self.entries.any("unsent", "again")

    @property
    def wants_a_page(self) -> bool:
        """Somebody asked for a sync, something must be read to its end, or was acknowledged since."""
        meta = self.meta
        reading = meta.wanted_since is not None or meta.staged_pages > 0 or bool(meta.reread)
        return reading or self.entries.any("settled")

    def next_serial(self) -> int:
        """Orders requests and answers on this phone; no clock does."""
        self.meta.serial += 1
        return self.meta.serial

    def discard_staged(self) -> None:
        """Reading goes on from the last complete page."""
        for place, _ in self.store.scan(STAGED):
            self.store.delete(STAGED, place)
        self.meta.staged_cursor, self.meta.staged_pages, self.meta.from_beginning = None, 0, False

    def forget_copies(self) -> None:
        """Nothing of anybody's records stays; the reading begins anew."""
        self.discard_staged()
        self.copies.wipe()
        self.meta.cursor, self.meta.reread = None, []

    def forget_everything(self) -> None:
        """Another person's phone from now on; only the count of requests goes on."""
        self.forget_copies()
        self.entries.wipe()
        for name, value in Meta(serial=self.meta.serial):
            setattr(self.meta, name, value)

    def forget_bases(self, epoch: str | None = None) -> None:
        """The past that bases count in, all of them or those of one epoch, is gone from the server, and has no name."""
        if epoch in (None, self.meta.copies_epoch):
            self.meta.copies_epoch = None
        for entry in self.entries.all():
            if epoch in (None, entry.base_epoch):
                self.entries.put(entry.model_copy(update={"base_epoch": None}))

    def learn_epoch(self, epoch: str) -> None:
        """The first answer names the epoch; what was written before it saw nothing of any other."""
        if self.meta.epoch is None:
            self.meta.epoch = self.meta.copies_epoch = epoch
            for entry in self.entries.all():
                self.entries.put(entry.model_copy(update={"base_epoch": epoch}))


@contextmanager
def opened(store: Store, seams: Seams, page_limit: int = DEFAULT_PAGE) -> Iterator[Phone]:
    """A phone to read and write, in one transaction: all that is done with it is kept, or none."""
    with store.transaction():
        phone = Phone.on(store, seams, page_limit)
        before = phone.meta.model_dump(mode="json")
        yield phone
        after = phone.meta.model_dump(mode="json")
        if after != before:
            store.put(META, _STATE, after)
