"""The words that travel between a phone and the server. Both halves speak with these classes.

A change here is a change of the protocol: its number, the vectors and the changelog move with it.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

PROTOCOL = 1
MOST_MUTATIONS = 100
MOST_PUSH_BYTES = 256 * 1024
DEFAULT_PAGE = 500
MOST_PAGE = 2000
MOST_PAGE_BYTES = 1024 * 1024
MOST_FEEDS = 200
MOST_WAIT_SECONDS = 25
"""Less than the half minute after which proxies give up on an answer."""


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError without a zone, or where UTC has no such year."""
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no such time in UTC") from None


Moment = Annotated[datetime, AfterValidator(in_utc)]
"""A time with its zone (RFC 3339); kept in UTC."""
Fields = dict[str, JsonValue]
Op = Literal["create", "update", "delete"]
OutcomeName = Literal["applied", "merged", "conflicted", "refused"]


class Wire(BaseModel):
    """Immutable; what one side doesn't know yet of the other is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Seen(Wire):
    """A record as its person saw it before an edit: what a restored server makes it from."""

    collection: str
    record: UUID
    home: UUID
    rev: int = 0
    fields: Fields


class Mutation(Wire):
    """One offline edit 一次离线修改."""

    id: UUID
    collection: str
    record: UUID
    home: UUID | None = None
    op: Op
    base: int = Field(0, ge=0, description="The rev the person was looking at; 0 for a create")
    after: UUID | None = Field(None, description="The mutation of this phone that this edit lies on")
    fields: Fields = {}
    made_at: Moment = Field(description="The phone's clock: evidence, never an order")
    epoch: str | None = Field(None, description="After a restore: the epoch of `base`, null where unknown")
    seen: list[Seen] | None = Field(None, description="After a restore: what the person saw before the edit")


class Outbox(Wire):
    """How much is unsent on the phone, and since when."""

    depth: int = Field(0, ge=0)
    oldest_at: Moment | None = None


class ProblemBody(Wire):
    """An RFC 9457 problem, as it travels in an answer or in an outcome."""

    type: str = "about:blank"
    code: str
    status: int = 0
    title: str
    titles: dict[str, str] = Field({}, description="The title in `zh` and in `en`")
    errors: list[dict[str, JsonValue]] = []
    details: Fields = {}


class Outcome(Wire):
    """What became of one mutation. A repeated push answers with the same, `replayed`."""

    id: str | None = Field(None, description="The mutation's id as it was sent; absent where there was none to read")
    outcome: OutcomeName
    rev: int | None = Field(None, description="The record's rev after this mutation")
    conflicts: list[UUID] = Field([], description="Conflicts this mutation opened or joined")
    problem: ProblemBody | None = None
    replayed: bool = False


class PushBody(Wire):
    """POST /v1/sync/push, and the `push` of POST /v1/sync. All mutations belong to one home."""

    protocol: int = PROTOCOL
    epoch: str | None = None
    home: UUID | None = None
    sent_at: Moment | None = None
    outbox: Outbox = Outbox()
    received: int = Field(0, ge=0, description="The highest `received` this server ever answered")
    mutations: list[Mutation] = Field([], max_length=MOST_MUTATIONS)


class PushAnswer(Wire):
    """One outcome a mutation, in the order of the push."""

    outcomes: list[Outcome]
    received: int = Field(description="How many mutations of this replica the server has ever consumed")
    epoch: str
    server_time: datetime


class Change(Wire):
    """The present state of one record in one feed, its tombstone, or its departure."""

    feed: int
    seq: int
    collection: str
    record: UUID
    home: UUID
    rev: int
    deleted: bool = False
    departed: bool = False
    fields: Fields = {}
    hash: int = 0


class Gained(Wire):
    """A feed this replica follows from now on. `width` ranks how much of a record its audience sees."""

    feed: int
    owner: UUID
    audience: str
    width: int


class Reset(Wire):
    """A feed that must be read again from its beginning."""

    feed: int
    reason: Literal["horizon", "mark", "asked"]


class PullBody(Wire):
    """POST /v1/sync/pull; GET takes the same words as a query."""

    protocol: int = PROTOCOL
    cursor: str | None = None
    limit: int = Field(DEFAULT_PAGE, ge=1, le=MOST_PAGE)
    reread: list[int] = Field([], max_length=MOST_FEEDS)
    wait: int = Field(
        0,
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="没有变化时，最多等待几秒，一有变化即回答 · "
        "Where nothing is new, the answer may come later: at most so many seconds, sooner when there is news",
    )


class Page(Wire):
    """One answer of a pull. Stage it; what is staged takes effect with the page that is `complete`."""

    changes: list[Change] = []
    cursor: str | None = Field(None, description="Absent when `unchanged`: the old cursor stands")
    complete: bool = False
    unchanged: bool = False
    gained: list[Gained] = []
    lost: list[int] = []
    reset: list[Reset] = []
    digests: dict[int, int] = {}
    epoch: str
    server_time: datetime | None = None


class SyncBody(Wire):
    """POST /v1/sync: a push, then a pull, in one round trip and two transactions."""

    protocol: int = PROTOCOL
    push: PushBody | None = None
    cursor: str | None = None
    limit: int = Field(DEFAULT_PAGE, ge=1, le=MOST_PAGE)
    reread: list[int] = Field([], max_length=MOST_FEEDS)
    wait: int = Field(
        0,
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="同下载；请求中带有 push 时不等待，结果立即返回 · "
        "As of a pull; ignored where there is a `push`, whose outcomes are never held back",
    )


class SyncAnswer(Wire):
    """A pull that fails is told in `page_problem`, so that it never hides the push's outcomes."""

    push: PushAnswer | None = None
    page: Page | None = None
    page_problem: ProblemBody | None = None
