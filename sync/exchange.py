"""A phone's conversation: which request goes out next, and what an answer means to it."""

from dataclasses import dataclass
from typing import Literal, TypeVar
from uuid import UUID

from pydantic import ValidationError

from sync.outcomes import begin_recovery, forget_old, refuse_here, take_answer
from sync.phone import Phone
from sync.sending import next_push
from sync.staging import take_page
from sync.wire import (
    PROTOCOL,
    Page,
    ProblemBody,
    PullBody,
    PushAnswer,
    SyncAnswer,
    SyncBody,
    Wire,
)

Kind = Literal["sync", "push", "pull"]
PATHS: dict[Kind, str] = {"sync": "/v1/sync", "push": "/v1/sync/push", "pull": "/v1/sync/pull"}

Said = TypeVar("Said", bound=Wire)


@dataclass(frozen=True)
class Request:
    """One request to send; give it back with its answer."""

    kind: Kind
    body: bytes
    serial: int
    cursor: str | None
    """Where the page it asks for begins; of no meaning for a push."""
    mutations: tuple[UUID, ...] = ()
    method: str = "POST"

    @property
    def path(self) -> str:
        """Where it goes."""
        return PATHS[self.kind]


@dataclass(frozen=True)
class Answered:
    """What came of an answer.

    ok: ask for the next request. retry: wait, then ask for the next request. sign_in: the tokens are of no
    use. stopped: don't ask again today. `problem` may stand beside ok, where only the pull was refused.
    """

    verdict: Literal["ok", "retry", "sign_in", "stopped"]
    problem: ProblemBody | None = None


OK, RETRY = Answered("ok"), Answered("retry")
_SEVERITY = ("ok", "retry", "sign_in", "stopped")
_SIGN_IN = {"token_expired", "not_signed_in", "token_foreign", "refresh_reused", "replica_needed"}
_READ_ANEW = {"cursor_unreadable", "cursor_forged", "cursor_foreign"}
_TOO_LARGE = {"body_too_large", "too_many_mutations"}


def find_next_request(phone: Phone) -> Request | None:
    """The request to send now; None when there is nothing to say."""
    meta = phone.meta
    if meta.revoked:
        return None
    if phone.wants_to_push:
        plain = meta.recovering or meta.must_push or meta.pull_off
        return _push_request(phone, "push" if plain else "sync")
    if phone.wants_a_page and not meta.pull_off:
        reading = meta.reading_from
        words = {"limit": phone.page_limit, "reread": meta.reread, "received": meta.received}
        pull = PullBody.model_validate({"protocol": PROTOCOL, "cursor": reading, **words})
        return Request("pull", _as_body(pull), phone.next_serial(), reading)
    return None


def _push_request(phone: Phone, kind: Kind) -> Request:
    cursor, push = phone.meta.reading_from, next_push(phone)
    body: Wire = push
    if kind == "sync":
        body = SyncBody(protocol=PROTOCOL, push=push, cursor=cursor, limit=phone.page_limit, reread=phone.meta.reread)
    mutations = tuple(mutation.id for mutation in push.mutations)
    return Request(kind, _as_body(body), phone.next_serial(), cursor, mutations)


def _as_body(words: Wire) -> bytes:
    """In a mutation, what isn't said and what is said to be null are two things."""
    return words.model_dump_json(exclude_unset=True).encode()


def take_any_answer(phone: Phone, request: Request, status: int, content_type: str, body: bytes) -> Answered:
    """What an answer means. Whatever isn't the server's own word (a portal's page, half a body) is no answer."""
    if request.serial <= phone.meta.deaf_until:
        return OK
    if not content_type.partition(";")[0].strip().lower().endswith(("/json", "+json")):
        return RETRY
    if status != 200:
        problem = _read(ProblemBody, body)
        return _meet(phone, request, problem.model_copy(update={"status": status})) if problem else RETRY
    if request.kind == "push":
        pushed = _read(PushAnswer, body)
        # Its effect is in no page that was asked for before this answer.
        return _take_push(phone, request, pushed, phone.next_serial()) if pushed else RETRY
    if request.kind == "pull":
        page = _read(Page, body)
        return _take_page(phone, request, page) if page else RETRY
    both = _read(SyncAnswer, body)
    return _take_both(phone, request, both) if both else RETRY


def _take_both(phone: Phone, request: Request, answer: SyncAnswer) -> Answered:
    """A pull that failed hides no outcomes."""
    if answer.push is None or not (answer.page or answer.page_problem):
        return RETRY
    # The page was made after the push: the mutations' effect is in it.
    upward = _take_push(phone, request, answer.push, request.serial)
    if answer.page:
        downward = _take_page(phone, request, answer.page)
    else:
        downward = _meet(phone, request, answer.page_problem) if answer.page_problem else RETRY
    return max(upward, downward, key=lambda one: (_SEVERITY.index(one.verdict), one.problem is not None))


def _take_push(phone: Phone, request: Request, answer: PushAnswer, serial: int) -> Answered:
    phone.learn_epoch(answer.epoch)
    if answer.epoch != phone.meta.epoch:
        return RETRY
    phone.meta.server_time = answer.server_time
    take_answer(phone, answer, serial)
    forget_old(phone)
    answered = {outcome.id for outcome in answer.outcomes}
    return OK if answered.issuperset(str(id) for id in request.mutations) else RETRY


def _take_page(phone: Phone, request: Request, page: Page) -> Answered:
    phone.learn_epoch(page.epoch)
    return RETRY if take_page(phone, page, request.cursor, request.serial) == "unusable" else OK


def _meet(phone: Phone, request: Request, problem: ProblemBody) -> Answered:
    """What a problem of the request as a whole makes the phone do."""
    if problem.status >= 500 or problem.status == 429:
        return Answered("retry", problem)
    if problem.code == "body_too_slow":
        # A poor network, not a wrong body: fewer edits have a chance, and one alone is never refused for it.
        phone.meta.batch = max(1, len(request.mutations) // 2) if request.mutations else phone.meta.batch
        return Answered("retry", problem)
    if problem.code in _SIGN_IN:
        return Answered("sign_in", problem)
    if problem.code == "too_many_feeds":
        phone.meta.pull_off = True
        return Answered("ok", problem)
    return OK if _can_go_on(phone, request, problem) else Answered("stopped", problem)


def _can_go_on(phone: Phone, request: Request, problem: ProblemBody) -> bool:
    """Is there something else to ask at once?"""
    if problem.code == "server_restored":
        return begin_recovery(phone, problem)
    if problem.code == "replica_revoked":
        _wipe_revoked(phone)
    if problem.code in _READ_ANEW and request.cursor is not None:
        phone.discard_staged()
        phone.meta.cursor = None
        return True
    if problem.code in _TOO_LARGE and request.mutations:
        _send_less(phone, request, problem)
        return True
    return False


def _wipe_revoked(phone: Phone) -> None:
    """Others' records go at once; what this person typed stays until they sign in again."""
    meta = phone.meta
    phone.forget_copies()
    meta.revoked, meta.deaf_until = True, meta.serial
    meta.access_token = meta.refresh_token = None
    for entry in phone.entries.all():
        phone.entries.put(entry.model_copy(update={"seen": []}))


def _send_less(phone: Phone, request: Request, problem: ProblemBody) -> None:
    """Half as many the next time; one that is too large alone goes without what was seen, else not at all."""
    phone.meta.batch = max(1, len(request.mutations) // 2)
    entry = phone.entries.find(request.mutations[0])
    if entry is None or len(request.mutations) > 1:
        return
    if entry.seen:
        phone.entries.put(entry.model_copy(update={"seen": []}))
    else:
        refuse_here(phone, entry, problem)


def _read(words: type[Said], body: bytes) -> Said | None:
    try:
        return words.model_validate_json(body)
    except ValidationError:
        return None
