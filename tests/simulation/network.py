"""What carries a phone's requests, and loses, repeats, cuts, delays and reorders them."""

import hashlib
import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sync.exchange import Answered, Request
from tests.simulation.phone import SimulatedPhone
from tests.simulation.server import NO_REPLY, Reply

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

PATIENCE_SECONDS = 10.0
TRIES = 6
PORTAL = Reply(200, "text/html; charset=utf-8", "<html>请先登录网络</html>".encode())
STATEMENTS = 40
"""A push takes about as many: a crash at any of them is as likely as at any other."""
MOST_REQUESTS = 400
Sender = tuple[str, str]
"""Whose request it is, and the token it went with: the phone may be somebody else's when it arrives."""


@dataclass
class Conversation:
    """One sync of one phone: until there is nothing more to say, or it gives up for now."""

    simulation: "Simulation"
    phone: SimulatedPhone
    dice: Random
    failures: int = 0
    requests: int = 0
    in_vain: bool = False
    """Did the last answer change nothing?"""

    def begin(self) -> None:
        """Somebody pulls down to refresh."""
        if self.phone.busy:
            return
        self.phone.busy = True
        self.phone.replica.want_sync()
        self._next()

    def _next(self) -> None:
        if self.requests > MOST_REQUESTS:
            self.simulation.fail("O8", "a sync that doesn't end")
        request = self.phone.replica.next_request() if self.requests <= MOST_REQUESTS else None
        if request is None:
            self.phone.busy = False
            return
        self._send(request)

    def _send(self, request: Request) -> None:
        tokens = self.phone.replica.tokens()
        if tokens is None:
            self._sign_in()
            return
        self.requests += 1
        if self.simulation.healing:
            self.simulation.healed_requests += 1
            self.simulation.wasted += self.in_vain
        simulation, life, sender = self.simulation, self.phone.life, (self.phone.login, tokens[0])
        simulation.oracle.sent(self.phone, request)
        answered = False

        def give_up() -> None:
            if not answered and self.phone.life == life:
                self._failed()

        def hear(reply: Reply) -> None:
            nonlocal answered
            if answered or self.phone.life != life:
                return
            if self._chance("late") and reply.status:
                # The phone has given up by the time the answer comes, and is in the middle of something else.
                answered = True
                simulation.timeline.after(self.dice.uniform(0, 5), lambda: self._hear_late(request, reply, life))
                self._failed()
                return
            answered = True
            self._heard(request, reply)

        simulation.timeline.after(self.dice.uniform(0, 0.2), lambda: self._deliver(request, sender, hear))
        if self._chance("duplicate"):
            seconds = self.dice.uniform(0, 10)
            simulation.timeline.after(seconds, lambda: self._arrive(request, sender, request.body))
        simulation.timeline.after(PATIENCE_SECONDS, give_up)

    def _deliver(self, request: Request, sender: Sender, hear: "object") -> None:
        if self._chance("lost_request"):
            return
        body = request.body
        if self._chance("cut_request"):
            body = body[: self.dice.randrange(len(body) or 1)]
        reply = PORTAL if self._chance("portal") else self._arrive(request, sender, body)
        if reply is NO_REPLY or self._chance("lost_answer"):
            return
        if self._chance("cut_answer"):
            reply = reply._replace(body=reply.body[: self.dice.randrange(len(reply.body) or 1)], moment=None)
        self.simulation.timeline.after(self.dice.uniform(0, 0.2), lambda: hear(reply))  # type: ignore[operator]

    def _arrive(self, request: Request, sender: Sender, body: bytes) -> Reply:
        simulation, (login, token) = self.simulation, sender
        for kind in ("crash_before_commit", "crash_after_commit", "crash_at_statement", "error_at_statement"):
            if self._chance(kind):
                simulation.server.faults.arm(kind, self.dice.randint(1, STATEMENTS))  # type: ignore[arg-type]
                break
        reply = simulation.server.ask(request.method, request.path, body, token)
        struck = simulation.server.faults.struck
        simulation.server.faults.disarm()
        simulation.server.faults.struck = False
        if reply.status == 200 and request.mutations:
            simulation.pushes_heard.append((request.path, token, request.body))
        simulation.note(request.kind, self.phone.name, reply.status, hashlib.sha256(reply.body).hexdigest())
        moment = simulation.oracle.answered(login, request, reply, injected=struck)
        return reply._replace(moment=moment) if reply.status else NO_REPLY

    def _heard(self, request: Request, reply: Reply) -> None:
        if reply.status == 401 and _code_of(reply) == "token_expired":
            self._refresh(request)
            return
        answered = self._take(request, reply)
        if answered is None:
            return
        if answered.verdict == "ok":
            self.failures = 0
            self._next()
        elif answered.verdict == "retry":
            self._failed()
        elif answered.verdict == "sign_in":
            self._sign_in()
        else:
            self.phone.busy = False

    def _take(self, request: Request, reply: Reply) -> Answered | None:
        """The phone reads the answer, and may die while it writes it down: then nobody goes on here."""
        life = self.phone.life
        answered: Answered | None = None
        with self.simulation.oracle.taking(self.phone, request, reply):
            before = self.simulation.state_of(self.phone) if self.simulation.healing else None
            answered = self.phone.replica.answer(request, reply.status, reply.media, reply.body)
        self.in_vain = self.simulation.healing and before == self.simulation.state_of(self.phone)
        return answered if self.phone.life == life else None

    def _hear_late(self, request: Request, reply: Reply, life: int) -> None:
        if self.phone.life == life:
            self._take(request, reply)

    def _refresh(self, request: Request) -> None:
        tokens = self.phone.replica.tokens()
        if tokens is None:
            self._sign_in()
            return
        form = urlencode({"grant_type": "refresh_token", "refresh_token": tokens[1]}).encode()
        media = "application/x-www-form-urlencoded"
        reply = self.simulation.server.ask("POST", "/v1/auth/token", form, "", media)
        if reply.status == 200 and not self._chance("lost_answer"):
            fresh = json.loads(reply.body)
            self.phone.replica.keep_tokens(fresh["access_token"], fresh["refresh_token"])
            self._send(request)
        elif reply.status == 200:
            self._failed()
        else:
            # Why it was refused, the replica reads: the token's end may be the phone's.
            self._heard(request, reply)

    def _sign_in(self) -> None:
        self.phone.busy = False
        self.simulation.sign_in(self.phone)

    def _failed(self) -> None:
        self.failures += 1
        if self.failures >= TRIES:
            self.phone.busy = False
            return
        life = self.phone.life
        wait = self.dice.uniform(0, min(60.0, 2.0**self.failures))
        self.simulation.timeline.after(wait, lambda: self._next() if self.phone.life == life else None)

    def _chance(self, fault: str) -> bool:
        rate = self.simulation.rate(fault)
        # The dice are thrown whether or not the fault is on, so that turning one off moves no other.
        hit = self.dice.random() < rate
        if hit:
            self.simulation.injected[fault] += 1
        return hit


def _code_of(reply: Reply) -> str | None:
    try:
        said = json.loads(reply.body)
    except ValueError:
        return None
    return said.get("code") if isinstance(said, dict) else None
