"""One seed on PostgreSQL: phones write, then everybody's requests are at work at once, under the baton.

A phone that only pulls reads along in small pages; somebody moves a household, ends a person's grants or
compacts feeds; some requests arrive twice, some are cancelled, some lose their connection. The oracle is the
simulator's own, but for what can't be said of a moment in which others are at work.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from app.compact import compact
from app.database import Moved
from app.postgres_transaction import PostgresReader, PostgresTransaction
from sync.exchange import Request
from sync.seams import seeded
from tests.agreement import Reader
from tests.contract import client_of
from tests.simulation.baton import Baton
from tests.simulation.crowd import UNITS, door_of, mind_of, write_at
from tests.simulation.oracle_among_many import OracleAmongMany
from tests.simulation.people import household
from tests.simulation.phone import SimulatedPhone
from tests.simulation.plan import Plan
from tests.simulation.plan_at_once import FATES, MOST_STATEMENTS, READER, ROUNDS
from tests.simulation.rest import check_at_rest
from tests.simulation.run import Broken, Simulation, Verdict
from tests.simulation.seats import Ends, Seat
from tests.simulation.server import Reply, answer_of
from tests.simulation.server_on_postgres import ServerOnPostgres, Stage
from tests.world import World


@dataclass
class Sending:
    """One request of one phone, as it is on its way."""

    phone: SimulatedPhone
    request: Request
    seat: Seat


class AtOnce(Simulation):
    """Everything of one seed."""

    server: ServerOnPostgres

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self.stage = stage
        super().__init__(plan)
        self.dice = seeded(f"rounds {plan.seed}")
        self.baton = Baton(seeded(f"turns {plan.seed}"), stage.watch)
        self.readable: set[int] | None = None
        self.events: Counter[str] = Counter()
        app, context = self.server.place.app, self.server.context
        self.world = World(context, app, client_of(app))
        self.world.people = self.server.place.people
        self.reader_faults: list[str] = []
        self.reader = self._new_reader()

    def new_server(self) -> ServerOnPostgres:
        """On PostgreSQL."""
        return ServerOnPostgres(self.plan.seed, self.clock, self.stage)

    def new_oracle(self) -> OracleAmongMany:
        """As far as it can tell."""
        return OracleAmongMany(self)

    def run(self) -> Verdict:
        """Rounds in which all are at work at once; then everybody syncs one by one, and all must be at rest."""
        rounds = 0
        try:
            with patch("sync.replica.MOST_MUTATIONS", self.plan.batch), self._counting_moves():
                for phone in self.phones:
                    self.sign_in(phone)
                for _ in range(self.dice.choice(ROUNDS)):
                    self._round()
                rounds = self._heal()
                check_at_rest(self)
                self._nothing_was_missed()
        except Broken:
            pass
        finally:
            self.events += self.baton.events
            self.events["repeated transactions"] = self.server.repeats
            self.close()
        return Verdict(
            self.plan.seed,
            self.faults,
            self.baton.trace,
            self.requests,
            rounds,
            self.healed_requests,
            self.wasted,
            self.plan if self.faults else None,
            self.events,
        )

    def close(self) -> None:
        """The client too."""
        self.server.run(self.world.http.aclose())
        super().close()

    # One round.

    def _round(self) -> None:
        # Now and then so much that pulls are noted again, but no token ends.
        self.timeline.pass_by(301 if self.timeline.seconds < 400 and self.dice.random() < 0.3 else 1)
        works: dict[Seat, Coroutine[Any, Any, Any]] = {}
        door = door_of(self)
        sendings = [one for number in range(len(self.phones)) for one in self._sendings_of(number, door)]
        for one in sendings:
            works[one.seat] = self._arrives(one)
        if not self.plan.rates["compact"]:
            works[Seat("reader")] = self._read_along(
                [self.dice.choice((1, 2, 7, 50, 50)) for _ in range(self.dice.choice((2, 4, 8)))]
            )
        ended = self._somebody_interferes(works, door)
        before = {login: self.server.reading(login) for login in self.server.grants}
        answers = self.server.run(self.baton.together(works))
        for seat, answer in zip(works, answers, strict=True):
            self.events[f"{seat.name.partition('.')[0].rstrip('0123456789')} {getattr(answer, 'status', '')}"] += 1
            if isinstance(answer, BaseException) and not (seat.struck and isinstance(answer, asyncio.CancelledError)):
                self.fail("O9", f"{seat.name}: {type(answer).__name__}: {answer}")
        self._hear([(one, answers[at]) for at, one in enumerate(sendings)], before, ended)

    def _sendings_of(self, number: int, door: int) -> list[Sending]:
        phone, mind = self.phones[number], mind_of(self.dice)
        for _ in range(self.dice.choice((0, 1, 2, 3))):
            write_at(self, number, door, mind)
        sendings = self._handed_out(phone, 0)
        if sendings and self._chance("overlap"):
            # Nobody waited for the answer: what was handed out goes again, with what was written since.
            write_at(self, number, door, mind)
            sendings += self._handed_out(phone, len(sendings))
        return sendings

    def _handed_out(self, phone: SimulatedPhone, before: int) -> list[Sending]:
        phone.replica.want_sync()
        request = phone.replica.next_request() if phone.replica.tokens() else None
        if request is None:
            return []
        self.oracle.sent(phone, request)
        times = 2 if self._chance("duplicate") else 1
        return [Sending(phone, request, Seat(f"{phone.name}.{before + n}", self._fate())) for n in range(times)]

    def _arrives(self, one: Sending) -> Coroutine[Any, Any, Reply]:
        tokens = one.phone.replica.tokens()
        assert tokens
        request = one.request
        return answer_of(self.server.place.app, request.method, request.path, request.body, tokens[0])

    async def _read_along(self, limits: list[int]) -> None:
        for limit in limits:
            await self.reader.pull(limit)

    def _somebody_interferes(self, works: dict[Seat, Coroutine[Any, Any, Any]], door: int) -> tuple[str, Seat] | None:
        """An operator's doings among the requests; whose grants end, and in which seat."""
        if self._chance("move"):
            body = b'{"area_id":"%b"}' % str(self.server.place.areas[self.dice.choice(UNITS)]).encode()
            token = self.server.sign_in(READER)
            path = f"/v1/households/{household(door)}"
            works[Seat("office")] = answer_of(self.server.place.app, "PATCH", path, body, token)
        if self._chance("compact"):
            works[Seat("compaction")] = compact(self.server.context, 0)
        login = self.dice.choice(sorted({login for login in self.plan.logins if login != READER}))
        if not self.server.reading(login):
            self.server.grant(login, self.dice.choice(("community", "building_1", "building_2")))
        if not self._chance("end_grant"):
            return None
        seat = Seat("operator")
        works[seat] = self.server.end_every_grant(login)
        return login, seat

    # What came of it.

    def _hear(
        self, answers: list[tuple[Sending, Any]], before: dict[str, set[int]], ended: tuple[str, Seat] | None
    ) -> None:
        heard: dict[str, tuple[Sending, Reply]] = {}
        for one, reply in answers:
            if not isinstance(reply, Reply):
                continue
            self.events[f"{one.request.kind} {reply.status}"] += 1
            self.baton.note(one.seat.name, reply.status, reply.body)
            may_have = one.seat.struck and reply.status == 503
            self.readable = self._readable(one, before[one.phone.login], ended)
            self.oracle.answered(one.phone.login, one.request, reply, injected=may_have)
            self.readable = None
            if reply.status == 200 and one.request.mutations:
                tokens = one.phone.replica.tokens()
                self.pushes_heard.append((one.request.path, tokens[0] if tokens else "", one.request.body))
            if one.phone.name not in heard or self.dice.random() < 0.5:
                heard[one.phone.name] = one, reply
        if ended:
            self._nobody_wrote_after_the_end(answers, *ended)
        for one, reply in heard.values():
            with self.oracle.taking(one.phone, one.request, reply):
                answered = one.phone.replica.answer(one.request, reply.status, reply.media, reply.body)
            if answered.verdict == "sign_in":
                self.sign_in(one.phone)
        if self.reader_faults:
            self.fail("I5", f"the reader along: {self.reader_faults[0]}")

    def _readable(self, one: Sending, before: set[int], ended: tuple[str, Seat] | None) -> set[int]:
        """What this request may have been sent: before the grants ended, after it, or either."""
        after = self.server.reading(one.phone.login)
        if not ended or ended[0] != one.phone.login or not ended[1].commits:
            return before | after
        pushed = one.seat.commits[0] if one.request.mutations and one.seat.commits else 0
        began = next((turn for turn in one.seat.turns if turn > pushed), 0)
        return after if began > ended[1].commits[-1] else before | after

    def _nobody_wrote_after_the_end(self, answers: list[tuple[Sending, Any]], login: str, seat: Seat) -> None:
        """I4: what commits after a person's grants have ended was judged after it, and waits or is refused."""
        late = {
            outcome["id"]
            for one, reply in answers
            if one.phone.login == login and isinstance(reply, Reply) and reply.status == 200 and one.request.mutations
            if one.seat.commits and seat.commits and one.seat.commits[0] > seat.commits[-1]
            for outcome in _outcomes_in(reply)
            if not outcome.get("replayed")
        }
        # What is new may be made within the grace; what was there waits as a candidate.
        written = self.server.rows("SELECT mutation_id FROM history WHERE collection <> 'conflicts' AND op <> 'create'")
        if wrong := late & {row[0] for row in written}:
            self.fail("I4", f"{login} wrote {sorted(wrong)[:2]} after their grants had ended")

    def _nothing_was_missed(self) -> None:
        """I5: who read along in small pages ends with what a fresh phone is given."""
        if self.plan.rates["compact"]:
            return
        fresh = self._new_reader()
        self.server.run(self.reader.drain(self.dice.choice((1, 7, 50))))
        self.server.run(fresh.drain(500))
        mine, theirs = self.reader.copies, fresh.copies
        if missed := sum(mine.get(key) != theirs.get(key) for key in mine.keys() | theirs.keys()):
            self.reader_faults.append(f"missed {missed} of {len(theirs)}")
        if self.reader_faults:
            self.fail("I5", f"the reader along: {self.reader_faults[0]}")

    def _new_reader(self) -> Reader:
        about = b'{"name":"reader","platform":"simulated","app_version":"1"}'
        said = json.loads(self.server.ask("POST", "/v1/replicas", about, self.server.sign_in(READER)).body)
        return Reader(self.world, said["access_token"], self.reader_faults)

    # Dice.

    def _chance(self, name: str) -> bool:
        return self.dice.random() < self.plan.rates[name]

    def _fate(self) -> tuple[int, Ends] | None:
        for fate in FATES:
            if self._chance(fate):
                return self.dice.randint(1, MOST_STATEMENTS), fate
        return None

    @contextmanager
    def _counting_moves(self) -> Iterator[None]:
        """How often a page's feeds moved between its two statements, and how often it took a snapshot."""
        page_rows = PostgresReader.page_rows

        async def counting(*arguments: Any) -> Any:
            self.events["snapshots"] += isinstance(arguments[0], PostgresTransaction)
            try:
                return await page_rows(*arguments)
            except Moved:
                self.events["moved"] += 1
                raise

        with patch.object(PostgresReader, "page_rows", counting):
            yield


def _outcomes_in(reply: Reply) -> list[dict[str, Any]]:
    said = json.loads(reply.body)
    found: list[dict[str, Any]] = (said.get("push") or said).get("outcomes", [])
    return found
