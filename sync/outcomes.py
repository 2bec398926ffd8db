"""What comes back from a push: each mutation's outcome, and whether the server still is the one it was."""

from datetime import timedelta

from sync import corrections
from sync.entries import Entry
from sync.phone import Phone
from sync.wire import Outcome, ProblemBody, PushAnswer

LOG_KEPT = timedelta(days=30)
ERASED = "erased"
"""What it is about was erased: of a mutation refused for that its writer keeps nothing either."""


def take_answer(phone: Phone, answer: PushAnswer, serial: int) -> None:
    """Every outcome finds its mutation; `serial` says from which page request on its effect is below."""
    meta = phone.meta
    meta.received = max(meta.received, answer.received)
    for outcome in answer.outcomes:
        entry = phone.entries.find(outcome.id) if outcome.id else None
        if entry and (entry.state == "flying" or entry.again):
            _settle(phone, entry, outcome.model_copy(update={"replayed": False}), answer, serial)
    meta.push_checked = meta.push_checked or meta.must_push
    meta.must_push = False
    end_recovery_when_done(phone)


def forget_old(phone: Phone) -> None:
    """Acknowledged mutations leave the log after 30 days, by the server's clock: a phone's may be years wrong."""
    now = phone.meta.server_time
    for entry in phone.entries.marked("done"):
        if now is None or entry.acked_at is None or now - entry.acked_at < LOG_KEPT:
            return
        if not (entry.again or entry.on_top):
            phone.entries.remove(entry)


def begin_recovery(phone: Phone, problem: ProblemBody) -> bool:
    """The server was restored: all it ever acknowledged is sent again before any of its pages counts.

    False where the problem doesn't say what this needs.
    """
    epoch, received = problem.details.get("epoch"), problem.details.get("received")
    if not isinstance(epoch, str) or not isinstance(received, int):
        return False
    meta = phone.meta
    # What counts in this very epoch was seen in an earlier life of it, which has no name of its own: the server went on
    # from an older copy otherwise.
    phone.forget_bases(epoch)
    meta.epoch, meta.received = epoch, received
    meta.must_push = False
    meta.deaf_until = meta.serial
    phone.discard_staged()
    send_log_again(phone)
    end_recovery_when_done(phone)
    return True


def send_log_again(phone: Phone) -> None:
    """Everything acknowledged goes once more, before the outbox; what the server still has answers itself."""
    phone.meta.recovering = True
    for entry in phone.entries.all():
        if not entry.unsent:
            phone.entries.put(entry.model_copy(update={"again": True}))


def send_the_log_of_another_replica(phone: Phone) -> None:
    """A new replica's count begins at zero and would betray no restore, so whatever the old one had acknowledged
    is asked for once more, as if there had been one: by what its person saw, not by a base of who knows which past."""
    if phone.entries.any("done", "refused"):
        phone.forget_bases()
        send_log_again(phone)


def end_recovery_when_done(phone: Phone) -> None:
    """Pages count again once the server has everything."""
    if phone.meta.recovering and not phone.entries.any("again", "unsent"):
        phone.meta.recovering, phone.meta.push_checked = False, True
        phone.meta.wanted_since = phone.meta.serial


def refuse_here(phone: Phone, entry: Entry, problem: ProblemBody) -> None:
    """A mutation that the server won't even read must not hold up the others."""
    outcome = Outcome(id=str(entry.id), outcome="refused", problem=problem)
    _put_refused(phone, entry, outcome)


def _settle(phone: Phone, entry: Entry, outcome: Outcome, answer: PushAnswer, serial: int) -> None:
    code = outcome.problem.code if outcome.problem else None
    if outcome.outcome != "refused":
        done = {"state": "done", "on_top": entry.on_top or entry.state == "refused"}
        kept = {"outcome": outcome, "acked_at": answer.server_time, "answer_serial": serial, "again": False}
        phone.entries.put(entry.model_copy(update=done | kept))
    elif code == corrections.MUTATION_REUSED:
        corrections.queue_again(phone, entry, entry.after)
    elif code == ERASED:
        phone.entries.remove(entry)
    elif _may_wait(entry, code) and corrections.waits_for_a_create(phone, entry):
        corrections.queue_behind(phone, entry)
    else:
        _put_refused(phone, entry.model_copy(update={"acked_at": answer.server_time}), outcome)


def _may_wait(entry: Entry, code: str | None) -> bool:
    """What its person was told is refused waits for them, whatever else they have made since."""
    return code == corrections.DEPENDS_ON_REFUSED and entry.state != "refused"


def _put_refused(phone: Phone, entry: Entry, outcome: Outcome) -> None:
    refused = {"state": "refused", "on_top": False, "again": False, "outcome": outcome}
    phone.entries.put(entry.model_copy(update=refused))
