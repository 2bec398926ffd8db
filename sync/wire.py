"""The words that travel between a phone and the server. Both halves speak with these classes.

A change here is a change of the protocol: its number, the vectors and the changelog move with it.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from sync.canonical import LARGEST_INTEGER

PROTOCOL = 1
WIRE = "e1b51a2a2275effa"
"""The hash of what travels in this protocol; openapi/CHANGELOG.md tells its story. A test holds both."""
MASKED = "helper"
"""The audience that sees records in part, and some of that masked."""
MOST_MUTATIONS = 100
MOST_PUSH_BYTES = 256 * 1024
DEFAULT_PAGE = 500
MOST_PAGE = 2000
MOST_PAGE_BYTES = 1024 * 1024
MOST_FEEDS = 200
MOST_WAIT_SECONDS = 25
"""Less than the half minute after which proxies give up on an answer."""
MOST_SEEN = 200
"""Records that one mutation carries for a restored server: its own, and those it refers to."""
MOST_ERRORS = 100
"""Places that a problem points at."""


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


def _stated(**schema: JsonValue) -> Any:
    """What the contract says of a value. Nobody checks it here: one bad mutation must not sink the others,
    and a longer epoch or cursor is simply not this server's."""
    return WithJsonSchema({**schema})


Whole = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Hash = Annotated[int, Field(ge=0, le=2**48 - 1)]
Word = Annotated[str, _stated(type="string", maxLength=64)]
Title = Annotated[str, _stated(type="string", maxLength=200)]
Epoch = Annotated[str, _stated(type="string", maxLength=16, pattern="^[0-9a-f]*$")]
Cursor = Annotated[str, _stated(type="string", maxLength=8192, pattern="^[A-Za-z0-9_-]*$")]
"""200 feeds of four varints each, signed, in base64url."""


class Wire(BaseModel):
    """Immutable; what one side doesn't know yet of the other is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Seen(Wire):
    """A record as its person saw it before an edit: what a restored server makes it from."""

    collection: Word = Field(description="记录类型 · The record's collection")
    record: UUID = Field(description="记录 · The record's id")
    home: UUID = Field(description="社区 · The community it was born in")
    rev: Whole = Field(0, description="版本 · The rev that was shown")
    fields: Fields = Field(description="字段 · The fields as they were shown")


class Mutation(Wire):
    """One offline edit 一次离线修改."""

    id: UUID = Field(description="修改编号，由手机生成 · Made on the phone; the same id again changes nothing")
    collection: Word = Field(description="记录类型 · The record's collection")
    record: UUID = Field(description="记录编号，由手机生成 · The record's id, made on the phone for a create")
    home: UUID | None = Field(None, description="社区 · The record's home; else that of the push")
    op: Op = Field(description="操作 · What is wanted")
    base: Whole = Field(0, description="编辑时看到的版本，新建为 0 · The rev the person was looking at; 0 for a create")
    after: UUID | None = Field(None, description="前一次修改 · The mutation of this phone that this edit lies on")
    fields: Fields = Field(
        {}, description="字段；更新只含改动 · Fields; of an update what changed, sets as `{add, remove}`"
    )
    made_at: Moment = Field(description="手机时间，仅作佐证 · The phone's clock: evidence, never an order")
    epoch: Epoch | None = Field(
        None, description="恢复后重发时：base 的纪元 · After a restore: the epoch of `base`, null where unknown"
    )
    seen: Annotated[list[Seen], Field(json_schema_extra={"maxItems": MOST_SEEN})] | None = Field(
        None,
        description="恢复后重发、编辑遮盖内容时：所见 · After a restore, or of what is masked: what the person saw",
    )


class Outbox(Wire):
    """How much is unsent on the phone, and since when."""

    depth: Whole = Field(0, description="未上传条数 · How many mutations wait")
    oldest_at: Moment | None = Field(None, description="最早一条的时间 · When the oldest of them was made")


class ProblemBody(Wire):
    """An RFC 9457 problem, as it travels in an answer or in an outcome."""

    type: Word = Field("about:blank", description="RFC 9457；见 code · As RFC 9457; switch on `code`")
    code: Word = Field(description="错误代码，固定不变 · What happened, as a stable word")
    status: int = Field(0, description="HTTP 状态 · The HTTP status, also inside an outcome")
    title: Title = Field(description="中英文标题 · The title, Chinese · English")
    titles: dict[str, Title] = Field({}, description="分语言标题 · The title in `zh` and in `en`")
    errors: list[dict[str, JsonValue]] = Field(
        [],
        description="出错位置 · Where it is wrong: `pointer` (RFC 6901) and `code`",
        json_schema_extra={"maxItems": MOST_ERRORS},
    )
    details: Fields = Field({}, description="补充信息 · Numbers that help: a limit, a rev, an epoch")


class Outcome(Wire):
    """What became of one mutation. A repeated push answers with the same, `replayed`."""

    id: Word | None = Field(None, description="修改编号 · The mutation's id as it was sent; absent where none was read")
    outcome: OutcomeName = Field(description="结果 · What became of it")
    rev: Whole | None = Field(None, description="之后的版本 · The record's rev after this mutation")
    conflicts: list[UUID] = Field(
        [],
        description="产生或加入的冲突 · Conflicts this mutation opened or joined",
        json_schema_extra={"maxItems": MOST_ERRORS},
    )
    problem: ProblemBody | None = Field(None, description="拒绝原因 · Why it was refused")
    replayed: bool = Field(False, description="此前已收到 · Received before; this is the answer of then")


class PushBody(Wire):
    """POST /v1/sync/push, and the `push` of POST /v1/sync. All mutations belong to one home."""

    protocol: Whole = Field(PROTOCOL, description="协议版本 · The protocol this app speaks")
    epoch: Epoch | None = Field(None, description="已知纪元 · The last epoch this server answered")
    home: UUID | None = Field(None, description="社区 · The community of all these mutations")
    sent_at: Moment | None = Field(
        None,
        description="发送时间（手机时钟），每次发送重新填写 · When it is sent, by the phone's clock: anew each time",
    )
    outbox: Outbox = Field(Outbox(), description="未上传情况 · What is unsent on the phone")
    received: Whole = Field(
        0, description="服务器答复过的最大 received · The highest `received` this server ever answered"
    )
    mutations: list[Mutation] = Field(
        [], max_length=MOST_MUTATIONS, description="离线修改，按先后 · The edits, in the order they were made"
    )


class PushAnswer(Wire):
    """One outcome a mutation, in the order of the push."""

    outcomes: list[Outcome] = Field(
        description="逐条结果 · One a mutation, in their order", json_schema_extra={"maxItems": MOST_MUTATIONS}
    )
    received: Whole = Field(
        description="累计收到条数 · How many mutations of this replica the server has ever consumed"
    )
    epoch: Epoch = Field(description="纪元 · The server's epoch; another one means it was restored")
    server_time: datetime = Field(description="服务器时间 · The server's clock")


class Change(Wire):
    """The present state of one record in one feed, its tombstone, or its departure."""

    feed: Whole = Field(description="信息流 · The feed that lists it")
    seq: Whole = Field(description="序号 · Its place in the feed")
    collection: Word = Field(description="记录类型 · The record's collection")
    record: UUID = Field(description="记录 · The record's id")
    home: UUID = Field(description="社区 · The community it was born in")
    rev: Whole = Field(description="版本 · How often it was written")
    deleted: bool = Field(False, description="已删除 · A tombstone: the record was deleted")
    departed: bool = Field(False, description="已移出 · The record is no longer in this feed")
    fields: Fields = Field({}, description="全部字段 · All its fields as this feed shows them")
    hash: Hash = Field(0, description="校验值 · The first 48 bits of SHA-256 of its canonical JSON")


class Gained(Wire):
    """A feed this replica follows from now on. `width` ranks how much of a record its audience sees."""

    feed: Whole = Field(description="信息流 · The feed's number")
    owner: UUID = Field(description="所属区域 · The area that owns it")
    audience: Word = Field(description="读者 · For whom it is")
    width: Whole = Field(description="范围 · How much of a record it shows; the widest copy is shown")


class Reset(Wire):
    """A feed that must be read again from its beginning."""

    feed: Whole = Field(description="信息流 · The feed's number")
    reason: Literal["horizon", "mark", "asked"] = Field(
        description="原因 · Too old, of another past, or asked for by `reread`"
    )


class PullBody(Wire):
    """POST /v1/sync/pull; GET takes the same words as a query."""

    protocol: Whole = Field(PROTOCOL, description="协议版本 · The protocol this app speaks")
    cursor: Cursor | None = Field(None, description="游标 · Of the page before; none: from the beginning")
    limit: int = Field(DEFAULT_PAGE, ge=1, le=MOST_PAGE, description="每页最多条数 · Changes on a page, at most")
    reread: list[Whole] = Field(
        [], max_length=MOST_FEEDS, description="要求重读的信息流 · Feeds to read again from their beginning"
    )
    received: Whole = Field(
        0,
        description="服务器曾确认收到的条数，超过服务器现有的即说明它从备份恢复过 · "
        "The highest count a push was ever answered; a server that has fewer was restored",
    )
    wait: int = Field(
        0,
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="没有变化时，最多等待几秒，一有变化即回答 · "
        "Where nothing is new, the answer may come later: at most so many seconds, sooner when there is news",
    )


class Page(Wire):
    """One answer of a pull. Stage it; what is staged takes effect with the page that is `complete`."""

    changes: list[Change] = Field(
        [], description="变化 · What changed, feed by feed", json_schema_extra={"maxItems": MOST_PAGE}
    )
    cursor: Cursor | None = Field(
        None, description="新游标；无变化时沿用旧的 · Absent when `unchanged`: the old cursor stands"
    )
    complete: bool = Field(False, description="已到最新 · Every feed is read to its head; what is staged takes effect")
    unchanged: bool = Field(False, description="没有变化 · Nothing is new; counts as complete")
    gained: list[Gained] = Field(
        [], description="新增信息流 · Feeds this phone follows from now on", json_schema_extra={"maxItems": MOST_FEEDS}
    )
    lost: list[Whole] = Field(
        [],
        description="失去的信息流 · Feeds it no longer follows: drop their copies",
        json_schema_extra={"maxItems": MOST_FEEDS},
    )
    reset: list[Reset] = Field(
        [],
        description="重读的信息流 · Feeds that are read again from their beginning",
        json_schema_extra={"maxItems": MOST_FEEDS},
    )
    digests: dict[int, Hash] = Field(
        {},
        description="校验和 · Of each feed brought to its head: the sum of its hashes mod 2⁴⁸",
        json_schema_extra={"maxProperties": MOST_FEEDS},
    )
    epoch: Epoch = Field(description="纪元 · The server's epoch; another one means it was restored")
    server_time: datetime | None = Field(None, description="服务器时间 · The server's clock")


class SyncBody(Wire):
    """POST /v1/sync: a push, then a pull, in one round trip and two transactions."""

    protocol: Whole = Field(PROTOCOL, description="协议版本 · The protocol this app speaks")
    push: PushBody | None = Field(None, description="上传 · What the phone sends; none: only pull")
    cursor: Cursor | None = Field(None, description="游标 · Of the page before; none: from the beginning")
    limit: int = Field(DEFAULT_PAGE, ge=1, le=MOST_PAGE, description="每页最多条数 · Changes on a page, at most")
    reread: list[Whole] = Field(
        [], max_length=MOST_FEEDS, description="要求重读的信息流 · Feeds to read again from their beginning"
    )
    wait: int = Field(
        0,
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="同下载；请求中带有 push 时不等待，结果立即返回 · "
        "As of a pull; ignored where there is a `push`, whose outcomes are never held back",
    )


class SyncAnswer(Wire):
    """A pull that fails is told in `page_problem`, so that it never hides the push's outcomes."""

    push: PushAnswer | None = Field(None, description="上传结果 · What became of the push")
    page: Page | None = Field(None, description="下载的一页 · One page")
    page_problem: ProblemBody | None = Field(None, description="下载失败原因 · Why there is no page")
