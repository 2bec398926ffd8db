"""The tables of the sync itself; each collection's own table comes from its declaration.

`home` leads the key of all that is recorded and listed, so that rows can be spread by it. Outside that rule stands what
is read by person or phone, before any home is known (`person`, `grant`, `enclave`, `follow`, `sign_in`, `replica`,
`holding`), and what is the server's own (`server`, `rebuild`).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_index",
    "uq": "%(table_name)s_%(column_0_N_name)s_unique",
    "fk": "%(table_name)s_%(column_0_name)s_references",
    "pk": "%(table_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}
SQLModel.metadata.naming_convention = NAMING

Json = JSON().with_variant(JSONB(), "postgresql")


def json_column(*, nullable: bool = False) -> Any:
    """A JSON value: replaced as a whole, never edited in place."""
    return Field(sa_column=Column(Json, nullable=nullable))


def bytes_column(*, nullable: bool = False) -> Any:
    """Bytes kept as they came."""
    return Field(sa_column=Column(LargeBinary, nullable=nullable))


class Server(SQLModel, table=True):
    """One row: who this server is, and which past it has lived through."""

    id: int = Field(default=1, primary_key=True)
    server_id: UUID
    epoch: str = Field(max_length=16)
    feeds: int = Field(default=0, sa_type=BigInteger)
    """How many feeds were ever made: the last feed id."""
    system: str | None = None
    """PostgreSQL's system identifier and timeline when the epoch began."""


class Person(SQLModel, table=True):
    """A human who signs in. The password is an Argon2id hash."""

    id: UUID = Field(primary_key=True)
    login: str = Field(unique=True, sa_type=Text)
    password: str = Field(sa_type=Text)
    created_at: datetime
    disabled_at: datetime | None = None


class Grant(SQLModel, table=True):
    """Who has which role over which area, from when to when, and why."""

    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(index=True)
    area_home: UUID
    area_id: UUID
    role: str
    since: datetime
    until: datetime | None = None
    reason: str | None = None


class Enclave(SQLModel, table=True):
    """An area that administratively lies elsewhere 插花地, from when to when, and why."""

    id: UUID = Field(primary_key=True)
    area_home: UUID
    area_id: UUID = Field(index=True)
    """As it is served: its place in the tree."""
    administrative_home: UUID
    administrative_id: UUID = Field(index=True)
    since: datetime
    until: datetime | None = None
    reason: str | None = None


class Follow(SQLModel, table=True):
    """Who reads which feed from when to when, by which grant. Ended rows stay: they carry the grace."""

    __table_args__ = (Index("follow_feed_index", "home", "feed_id"),)

    person_id: UUID = Field(primary_key=True)
    home: UUID = Field(primary_key=True)
    feed_id: int = Field(primary_key=True, sa_type=BigInteger)
    grant_id: UUID = Field(primary_key=True)
    role: str
    """The grant's role; `reader` where the feed's owner lies above the grant's area."""
    since: datetime
    until: datetime | None = None


class SignIn(SQLModel, table=True):
    """One sign-in: a family of refresh tokens, of which only the newest two generations are good."""

    __tablename__ = "sign_in"

    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(index=True)
    replica_id: UUID | None = None
    generation: int = 0
    created_at: datetime
    used_at: datetime
    ended_at: datetime | None = None


class Replica(SQLModel, table=True):
    """One installation of an app: the phone a token belongs to."""

    id: UUID = Field(primary_key=True)
    person_id: UUID = Field(index=True)
    name: str
    platform: str
    app_version: str
    received: int = Field(default=0, sa_type=BigInteger)
    """How many of its mutations were ever consumed."""
    unsent: int = 0
    unsent_since: datetime | None = None
    seen_at: datetime | None = None
    holdings_sum: int | None = Field(default=None, sa_type=BigInteger)
    """What the feeds of its holdings amount to, so that a pull can tell that nothing about them is new."""
    created_at: datetime
    revoked_at: datetime | None = None


class Holding(SQLModel, table=True):
    """A feed of which a phone may hold copies; `dropped_at` since when it has shown that it holds none any more."""

    replica_id: UUID = Field(primary_key=True)
    feed_id: int = Field(primary_key=True, index=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    dropped_at: datetime | None = None


class Feed(SQLModel, table=True):
    """An ordered list of what changed, for one owner and audience."""

    __table_args__ = (Index("feed_owner_index", "home", "owner_id", "audience", unique=True),)

    home: UUID = Field(primary_key=True)
    id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    owner_id: UUID
    audience: str
    head: int = Field(default=0, sa_type=BigInteger)
    digest: int = Field(default=0, sa_type=BigInteger)
    horizon: int = Field(default=0, sa_type=BigInteger)
    tag: int = Field(default=0, sa_type=BigInteger)
    """The newest mark's tag: the one at the head."""
    views: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Of a staff feed: how many other views of what it lists have feeds of their own."""


class Rebuild(SQLModel, table=True):
    """How far a collection's entries are as the newest release shows them, in order of (home, id)."""

    collection: str = Field(primary_key=True)
    release: int
    fingerprint: str
    home: UUID | None = None
    record_id: UUID | None = None
    done: bool = False


class FeedMark(SQLModel, table=True):
    """One random tag per push and feed: proof of the feed's past up to seq."""

    __tablename__ = "feed_mark"

    home: UUID = Field(primary_key=True)
    feed_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    tag: int = Field(sa_type=BigInteger)
    made_at: datetime


class FeedEntry(SQLModel, table=True):
    """One record's newest place in one feed, with the bytes that a page hands out."""

    __tablename__ = "feed_entry"
    __table_args__ = (Index("feed_entry_seq_index", "home", "feed_id", "seq", unique=True),)

    home: UUID = Field(primary_key=True)
    collection: str = Field(primary_key=True)
    record_id: UUID = Field(primary_key=True)
    feed_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BigInteger)
    rev: int
    hash: int = Field(sa_type=BigInteger)
    """0 for a tombstone and a departure, which no digest counts."""
    live: bool = True
    body: bytes = bytes_column()
    """`"collection":…,"record":…,"home":…,"rev":…,…` without braces; the page adds feed and seq."""


class History(SQLModel, table=True):
    """How a record became what it is: per rev which fields became what, and what they were."""

    home: UUID = Field(primary_key=True)
    collection: str = Field(primary_key=True)
    record_id: UUID = Field(primary_key=True)
    rev: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    mutation_id: UUID
    person_id: UUID | None = None
    at: datetime
    op: str
    """create, update, delete, revive, recover (made again from what a phone had seen), merge (into another record);
    erase, from which on nothing of it is known any more."""
    fields: dict[str, Any] = json_column()
    was: dict[str, Any] = json_column()


KEPT = text("payload IS NOT NULL")
LOOSE = text("payload IS NOT NULL AND (outcome = 'refused' OR collection = 'conflicts')")
"""What is kept of what was sent, and perhaps is of no record that is there."""
REFUSED_CREATE, REFUSED = text("op = 'create' AND outcome = 'refused'"), text("outcome = 'refused'")
"""Asked for in these very words, or the planner doesn't see that the index has the answer."""


class ReceivedMutation(SQLModel, table=True):
    """Every mutation ever received, with its outcome: the memory that answers a repeated push."""

    __tablename__ = "received_mutation"
    __table_args__ = (
        Index(
            "received_mutation_refused_create_index",
            *("home", "collection", "record_id"),
            postgresql_where=REFUSED_CREATE,
            sqlite_where=REFUSED_CREATE,
        ),
        Index("received_mutation_refused_index", "person_id", "outcome", "received_at"),
        Index(
            "received_mutation_refusals_index",
            *("home", "received_at"),
            postgresql_where=REFUSED,
            sqlite_where=REFUSED,
        ),
        Index(
            "received_mutation_kept_index",
            *("home", "collection", "record_id"),
            postgresql_where=KEPT,
            sqlite_where=KEPT,
        ),
        Index("received_mutation_loose_index", *("home", "id"), postgresql_where=LOOSE, sqlite_where=LOOSE),
    )

    home: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    person_id: UUID
    replica_id: UUID | None = None
    collection: str | None = None
    record_id: UUID | None = None
    op: str | None = None
    content: bytes = bytes_column()
    """A keyed digest of collection, record, home, op, base, after and fields."""
    base: int | None = Field(default=None, sa_type=BigInteger)
    after: UUID | None = None
    made_at: datetime | None = None
    sent_at: datetime | None = None
    received_at: datetime
    outcome: str
    answer: dict[str, Any] = json_column()
    payload: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """As it came, of all but the plainly applied; none of what was erased."""
