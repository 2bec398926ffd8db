"""One seed, from its plan to its verdict."""

import hashlib
import json
from collections import Counter
from datetime import timedelta
from random import Random
from unittest.mock import patch

from sync.seams import seeded
from tests.simulation import adversary, interleaved, people, teams
from tests.simulation.network import Conversation
from tests.simulation.oracle import Oracle
from tests.simulation.phone import SimulatedPhone
from tests.simulation.place import GRANTED, LIAR
from tests.simulation.plan import Action, Plan
from tests.simulation.rest import check_at_rest
from tests.simulation.server import HELPER, Server
from tests.simulation.timeline import Clock, Timeline
from tests.simulation.verdict import Verdict, broke_in

MOST_ROUNDS = 8
PAGE_AT_LAST = 7
"""Changes a page once all is healed, at least: small enough that a feed takes several."""
MOST_TRAFFIC = 1.5
"""Requests, for each that was needed."""
AREAS = ("community", "building_1", "building_2", "building_3")
GRIDS = ("grid_1", "grid_2")


class Broken(Exception):
    """A promise is broken; the rest of the seed would say nothing new."""


class Simulation:
    """Everything of one seed."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.timeline = plan, Timeline()
        self.faults: list[str] = []
        self.injected: Counter[str] = Counter()
        self.requests = self.wasted = self.healed_requests = 0
        self.healing = False
        self.cursors_heard: list[str] = []
        self.pushes_heard: list[tuple[str, str, bytes]] = []
        self.epoch_heard: str | None = None
        self._trace = hashlib.sha256()
        self._dying: dict[str, int] = {}
        self._liars_token: str | None = None
        self.clock = Clock(self.timeline, timedelta(days=plan.server_offset_days))
        self.server = self.new_server()
        self.oracle = self.new_oracle()
        self.clocks = [Clock(self.timeline, timedelta(days=days)) for days in plan.phone_offset_days]
        self.phones = [self._phone(number, login) for number, login in enumerate(plan.logins)]

    def new_server(self) -> Server:
        """Where its requests arrive."""
        return Server(self.plan.seed, self.clock)

    def new_oracle(self) -> Oracle:
        """What holds it to the promises."""
        return Oracle(self)

    def run(self) -> Verdict:
        """Everything that is planned; then all heals, and must come to rest."""
        rounds = 0
        try:
            with patch("sync.replica.MOST_MUTATIONS", self.plan.batch):
                for phone in self.phones:
                    self.sign_in(phone)
                for action in self.plan.actions:
                    self.timeline.after(action.at, lambda action=action: self._do(action))
                self.timeline.run()
                rounds = self._heal()
                check_at_rest(self)
        except Broken:
            pass
        except Exception as error:
            if (where := broke_in(error)) is None:
                raise
            self.faults.append(f"O9: {type(error).__name__} in {where}")
        finally:
            self.close()
        return Verdict(
            self.plan.seed,
            self.faults,
            self._trace.hexdigest()[:16],
            self.requests,
            rounds,
            self.healed_requests,
            self.wasted,
            self.plan if self.faults else None,
            self.injected,
        )

    def close(self) -> None:
        """Files are let go."""
        self.server.close()
        for phone in self.phones:
            phone.store.close()

    def fail(self, invariant: str, what: str) -> None:
        """A promise is broken. Raises Broken."""
        self.faults.append(f"{invariant}: {what}")
        raise Broken(what)

    def note(self, *words: object) -> None:
        """Part of the trace."""
        self._trace.update(f"{self.timeline.seconds:.3f} {words}\n".encode())

    def rate(self, fault: str) -> float:
        """How often it strikes now."""
        return 0.0 if self.healing else self.plan.rates.get(fault, 0.0)

    def sign_in(self, phone: SimulatedPhone) -> None:
        """Its person signs in, and the phone is registered as a new one."""
        token = self.server.sign_in(phone.login)
        about = json.dumps({"name": phone.name, "platform": "simulated", "app_version": "1"}).encode()
        reply = self.server.ask("POST", "/v1/replicas", about, token)
        if reply.status != 201:
            self.fail("O9", f"registering answered {reply.status}")
        said = json.loads(reply.body)
        phone.replica.sign_in(self.server.place.people[phone.login], said["id"])
        phone.replica.keep_tokens(said["access_token"], said["refresh_token"])

    def liars_token(self) -> str:
        """Of a registered phone of somebody who lies; a new one each time the server may have forgotten it."""
        if self._liars_token is None or self.oracle.restored:
            about = b'{"name":"liar","platform":"simulated","app_version":"1"}'
            reply = self.server.ask("POST", "/v1/replicas", about, self.server.sign_in(LIAR))
            self._liars_token = str(json.loads(reply.body)["access_token"])
        return self._liars_token

    def writes_before_death(self, phone: SimulatedPhone) -> int:
        """How many writes the phone still does; a great many, unless its death is planned."""
        return self._dying.pop(phone.name, 1_000_000)

    # The actions.

    def _do(self, action: Action) -> None:
        self.note(action.does, action.who)
        phone, dice = self.phones[action.who], seeded(action.dice)
        getattr(self, f"_do_{action.does}")(phone, action, dice)

    def _do_write(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        word = f"w{action.dice}x"
        with self.oracle.writing(phone), phone.dying_in(self.writes_before_death(phone)):
            people.write(self.server, phone, self.plan.records, action, word, dice)

    def _do_sync(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        Conversation(self, phone, dice).begin()

    def _do_both(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self._do_write(phone, action, dice)
        self._do_sync(phone, action, dice)

    def _do_correct(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        kept = phone.kept()
        with self.oracle.writing(phone):
            people.correct(phone, f"w{action.dice}x", dice)
        self.oracle.excused |= kept - phone.kept()  # a refusal that was read, and let go

    def _do_kill(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        phone.kill()

    def _do_kill_at_write(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self._dying[phone.name] = dice.randrange(12)

    def _do_back_up_phone(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        phone.back_up()

    def _do_older_copy(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        if phone.backup:
            self.oracle.losing(phone)
            self.oracle.copied.add(phone.login)
            phone.put_back()

    def _do_clone(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        other = dice.choice(self.phones)
        if other is not phone:
            self.oracle.losing(phone)
            self.oracle.copied.add(other.login)
            phone.become_copy_of(other)

    def _do_reinstall(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.oracle.losing(phone)
        phone.reinstall()
        self.sign_in(phone)

    def _do_grant(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.grant(phone.login, dice.choice(AREAS))

    def _do_grant_for_a_while(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.grant(phone.login, dice.choice(AREAS), timedelta(seconds=dice.choice((5, 60, 86400))))

    def _do_grant_grid(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.grant(phone.login, dice.choice(GRIDS))

    def _do_grant_helper(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.grant(phone.login, dice.choice((*AREAS, *GRIDS)), role=HELPER)

    def _do_end_grant(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.end_grant(phone.login, dice.choice((GRANTED[phone.login], *AREAS)))

    def _do_hand_over(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.hand_over(dice.choice(AREAS[1:]), dice.choice((*GRIDS, "community")))

    def _do_interleave(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        interleaved.interleave(self.server, phone.login, dice)

    _do_merge, _do_team = people.merge, teams.at_the_team

    def _do_revoke(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        replica = phone.memory().meta.replica
        self.server.ask("DELETE", f"/v1/replicas/{replica}", b"", self.server.sign_in(phone.login))

    def _do_phone_clock(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.clocks[action.who].offset += timedelta(days=dice.choice((-3650, -1, 1, 3650)), seconds=dice.randrange(99))

    def _do_server_clock(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        far = () if self.plan.forgets else (-400, 400)
        self.clock.offset += timedelta(days=dice.choice((0, 0, *far)), seconds=dice.choice((-3600, -1, 1, 3600)))

    def _do_minutes_pass(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.timeline.pass_by(dice.choice((60, 600, 1000)))

    def _do_days_pass(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.timeline.pass_by(86400 * dice.choice((1, 29, 31, 200)))

    def _do_compact(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.timeline.pass_by(1)
        self.server.compact(dice.choice((0, 0, 1, 180)))

    def _do_back_up_server(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self.server.back_up()

    def _do_restore(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self._restore(by_the_command=True)

    def _do_restore_silently(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        self._restore(by_the_command=False)

    def _do_lie(self, phone: SimulatedPhone, action: Action, dice: Random) -> None:
        adversary.lie(self, dice, f"w{action.dice}x")

    def _restore(self, *, by_the_command: bool) -> None:
        before = self.oracle.restoring()
        if self.server.restore(by_the_command=by_the_command):
            self.pushes_heard.clear()  # what it has forgotten, it may well take once more
            self.oracle.has_restored(before, silently=not by_the_command)

    # The end.

    def _heal(self) -> int:
        """Nothing fails any more; everybody syncs until nothing changes. How many rounds changed anything."""
        self.healing = True
        self._dying.clear()
        self._pass_what_begins_and_ends()
        for phone in self.phones:
            phone.turn_pages_of(max(PAGE_AT_LAST, self.plan.page))
        for rounds in range(MOST_ROUNDS):
            before = [self.state_of(phone) for phone in self.phones]
            for number, phone in enumerate(self.phones):
                for _ in range(2):  # who learns that they are signed out signs in at once, and goes on
                    if phone.replica.tokens() is None or phone.memory().meta.revoked:
                        self.sign_in(phone)
                    signed_in_as = phone.memory().meta.replica
                    Conversation(self, phone, seeded(f"heal {self.plan.seed} {rounds} {number}")).begin()
                    self.timeline.run()
                    if not phone.memory().meta.revoked and phone.memory().meta.replica == signed_in_as:
                        break
            if before == [self.state_of(phone) for phone in self.phones]:
                self._traffic_is_what_was_needed()
                return rounds
        self.fail("I2", f"no rest after {MOST_ROUNDS} rounds")
        return MOST_ROUNDS

    def _pass_what_begins_and_ends(self) -> None:
        """No role begins or ends while everybody comes to rest: a clock that was put back has come as far again."""
        grants = [grant for held in self.server.grants.values() for grant in held]
        quiet = max(self.clock.now(), *(grant.since for grant in grants))
        for until in sorted(grant.until for grant in grants if grant.until):
            if quiet <= until < quiet + timedelta(hours=1):
                quiet = until
        self.timeline.pass_by((quiet - self.clock.now()).total_seconds() + 1)

    def _traffic_is_what_was_needed(self) -> None:
        """O8: with nothing failing, hardly a request is made in vain."""
        needed = self.healed_requests - self.wasted
        if self.healed_requests > MOST_TRAFFIC * needed + len(self.phones):
            self.fail("O8", f"{self.healed_requests} requests where {needed} were needed")

    def state_of(self, phone: SimulatedPhone) -> object:
        meta = phone.memory().meta
        entries = [(entry.place, entry.state, entry.on_top, entry.again) for entry in phone.entries()]
        return meta.revoked, meta.cursor, meta.staged_cursor, meta.replica, meta.epoch, meta.recovering, entries

    def _phone(self, number: int, login: str) -> SimulatedPhone:
        seams = self.clocks[number].seams(f"phone {self.plan.seed} {number}")
        return SimulatedPhone(f"phone{number}", login, self.server.place.folder, seams, self.plan.page)
