"""What must hold at every step. Each check names the invariant of sync/README.md that it guards.

The oracle knows who was granted what, who typed which word, and what each person had before their eyes; it
asks none of that of the product.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sync.exchange import Request
from tests.simulation.phone import SimulatedPhone, made, words_of
from tests.simulation.refusals import falls_for_nothing, mutations_in
from tests.simulation.server import Reply
from tests.simulation.views import hidden_in

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

Listing = dict[tuple[int, str], tuple[int, int]]
"""(feed, path of the record) → rev and hash."""

CONTENT = ("id", "collection", "record", "home", "op", "base", "after", "fields")


class Moment(NamedTuple):
    """When a complete page was made, and what the server listed for its person then."""

    number: int
    listing: Listing


class Oracle:
    """Collects what it needs for the end, and speaks up at once where it can."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self.typed: set[str] = set()
        """Words that were in an outbox."""
        self.excused: set[str] = set()
        """Words and mutations of which no copy was left anywhere: their author overwrote them, or a device broke."""
        self.acknowledged: dict[str, str] = {}
        """Mutation → the outcome that a phone has heard."""
        self.outcomes: dict[str, Any] = {}
        """Content of a mutation → the outcome that this server's past has given it."""
        self.sights: dict[str, set[str]] = {}
        """Mutation → the words that its author had seen."""
        self.restored = False
        self.logs: dict[str, set[str]] = {}
        """Phone → the mutations and words that it heard acknowledged, and keeps for thirty days."""
        self.judged_at: dict[str, int] = {}
        """Mutation → which request of all it was that the server judged it in."""
        self.under_way: set[str] = set()
        """Mutations that were made upon a past which the server has lost, and nobody has told it so."""
        self.copied: set[str] = set()
        """Whose phones' files were ever copied or put back."""
        self.behind: set[str] = set()
        """Phones that still show such a past."""

    # What people and devices do.

    @contextmanager
    def writing(self, phone: SimulatedPhone) -> Iterator[None]:
        """A person writes: what they overwrite of their own unsent words is their own affair."""
        before, made = phone.words_by_field(), phone.creates()
        yield
        self._note_under_way(phone)
        now = phone.words_by_field()
        self.typed |= {word for words in now.values() for word in words}
        kept = phone.words_kept()
        written = {(path, name) for path, name in now if before.get((path, name)) != now[path, name]}
        gone = {path for path, _ in before} - {path for path, _ in now}
        deleted = {entry.key.path for entry in phone.entries() if entry.op == "delete"} | {*(made - phone.creates())}
        for place, words in before.items():
            if lost := words - kept:
                if place not in written and place[0] not in gone | deleted:
                    self._simulation.fail("I7", f"{phone.name} lost {sorted(lost)} of a field nobody wrote")
                self.excused |= lost

    def losing(self, phone: SimulatedPhone) -> None:
        """The device breaks: what it alone had is nobody's fault."""
        here = self._on_server()
        self.logs.pop(phone.name, None)
        for entry in phone.entries():
            # By itself each: an older copy may have written on under an id that was sent.
            self.excused |= {str(entry.id), *words_of(entry.content())} - here

    def restoring(self) -> set[str]:
        """Before a restore: what the server has."""
        return self._on_server()

    def has_restored(self, before: set[str], *, silently: bool) -> None:
        """After it: what no phone can bring back is lost with the disk it was on.

        Where nobody told the server, an edit that was under way is judged by revs of a past that its author
        didn't see, unless a count or a mark betrays the restore first (sync/README.md, "After a restore").
        """
        self.restored = True
        if silently:
            self.behind = {phone.name for phone in self._simulation.phones}
            for phone in self._simulation.phones:
                self._note_under_way(phone)
        self.outcomes.clear()
        self.judged_at.clear()
        held = {
            name
            for phone in self._simulation.phones
            for entry in phone.entries()
            for name in (str(entry.id), *words_of(entry.content()))
        }
        self.excused |= before - self._on_server() - held.union(*self.logs.values())

    # What goes over the wire.

    def sent(self, phone: SimulatedPhone, request: Request) -> None:
        """Notes what the author of each mutation had seen."""
        self._note_under_way(phone)
        for id in request.mutations:
            entry = phone.memory().entries.find(id)
            if entry is not None:
                self.sights.setdefault(str(id), set()).update(phone.sights.get(made(entry), ()), phone.own_below(entry))

    def _note_under_way(self, phone: SimulatedPhone) -> None:
        if phone.name in self.behind:
            self.under_way |= {str(entry.id) for entry in phone.entries() if entry.unsent}

    def answered(self, login: str, request: Request, reply: Reply, *, injected: bool) -> "Moment | None":
        """O9, I3, I4, I6; and what the server lists for this person at this moment, where a page says it is all."""
        simulation = self._simulation
        simulation.requests += 1
        if not reply.status:
            return None
        if reply.status >= 500 and not injected:
            simulation.fail("O9", f"{reply.status} to a {request.kind}")
        if reply.status != 200:
            return None
        said = json.loads(reply.body)
        pushed = said if request.kind == "push" else said.get("push")
        page = said if request.kind == "pull" else said.get("page")
        if pushed:
            self._each_answered(request, pushed)
        if not page:
            return None
        self._only_what_may_be_read(login, page)
        if page.get("cursor"):
            simulation.cursors_heard.append(page["cursor"])
        all_of_it = page.get("complete") or page.get("unchanged")
        return Moment(simulation.requests, self.listing_for(login)) if all_of_it else None

    def lied(self, login: str, path: str, reply: Reply) -> None:
        """A liar's answer: no fault of ours, and nothing that isn't theirs to read."""
        self._simulation.requests += 1
        if reply.status >= 500:
            self._simulation.fail("O9", f"{reply.status} to a lie")
        if reply.status == 200 and path.endswith("pull"):
            self._only_what_may_be_read(login, json.loads(reply.body))

    @contextmanager
    def taking(self, phone: SimulatedPhone, request: Request, reply: Reply) -> Iterator[None]:
        """I5, I7, I8 while a phone writes an answer down."""
        simulation, unanswered, life = self._simulation, phone.words_unanswered(), phone.life
        revs, own = self._revs(phone), self._own_in_view(phone, request)
        settled, before = self._not_yet_in(phone, reply), phone.memory().meta
        with phone.dying_in(simulation.writes_before_death(phone)):
            yield
        if lost := unanswered - phone.words_kept():
            simulation.fail("I7", f"{phone.name} dropped {sorted(lost)} on an answer")
        if phone.life != life:
            return
        self._note_acknowledged(phone, request, reply)
        self._nothing_goes_back(phone, reply, revs, before.copies_epoch)
        self._own_stay_in_view(phone, settled)
        meta = phone.memory().meta
        if meta.revoked and self._copies(phone):
            simulation.fail("I4", f"{phone.name} was revoked and keeps copies")
        if meta.staged_pages > before.staged_pages and self._revs(phone) != revs and not meta.revoked:
            simulation.fail("I8", f"{phone.name} shows pages that aren't complete")
        if meta.cursor == before.cursor and meta.completed_at == before.completed_at:
            self._own_stay_in_view(phone, own)
        if reply.moment is not None:
            self._shows_that_moment(phone, request, reply)

    # The checks.

    def _each_answered(self, request: Request, pushed: dict[str, Any]) -> None:
        ids = [str(id) for id in request.mutations]
        if [outcome["id"] for outcome in pushed["outcomes"]] != ids:
            self._simulation.fail("I6", "a push was not answered mutation by mutation")
        self._simulation.epoch_heard = pushed["epoch"]
        for mutation, outcome in zip(mutations_in(request), pushed["outcomes"], strict=True):
            self.judged_at.setdefault(mutation["id"], self._simulation.requests)
            if falls_for_nothing(self._simulation.server, mutation, outcome):
                self._simulation.fail("I6", "a mutation fell with one that it doesn't need")
            told = {name: value for name, value in outcome.items() if name != "replayed"}
            # Two copies of one phone may have written on under one id.
            before = self.outcomes.setdefault(json.dumps([mutation.get(name) for name in CONTENT]), told)
            if before != told:
                self._simulation.fail("I3", f"an outcome was {before} and is {told}")

    def _only_what_may_be_read(self, login: str, page: dict[str, Any]) -> None:
        named = {change["feed"] for change in page.get("changes", ())}
        named |= {gained["feed"] for gained in page.get("gained", ())}
        if foreign := named - self._simulation.server.reading(login):
            self._simulation.fail("I4", f"{login} was sent feeds {sorted(foreign)}")
        if unmasked := hidden_in(page, self._simulation.server.masked_feeds()):
            self._simulation.fail("I4", f"{login}, a helper, was sent {unmasked}")

    def listing_for(self, login: str) -> Listing:
        """What a person's phones hold when they hold everything."""
        feeds = self._simulation.server.reading(login)
        query = "SELECT feed_id, collection, home, record_id, rev, hash FROM feed_entry WHERE live"
        return {
            (row[0], f"{row[1]}/{UUID(row[2])}/{UUID(row[3])}"): (row[4], row[5])
            for row in self._simulation.server.rows(query)
            if row[0] in feeds
        }

    def _shows_that_moment(self, phone: SimulatedPhone, request: Request, reply: Reply) -> None:
        """I8: a complete page that took effect makes the copies what the server listed when it was made."""
        meta = phone.memory().meta
        said = json.loads(reply.body)
        page = said if request.kind == "pull" else said.get("page") or {}
        took_effect = meta.cursor == (page.get("cursor") or request.cursor) and not meta.staged_pages
        if not took_effect or meta.recovering or meta.must_push or meta.copies_epoch != page.get("epoch"):
            return
        self._note_under_way(phone)
        self.behind.discard(phone.name)
        held = {(copy["feed"], path): (copy["rev"], copy["hash"]) for path, copy in self._copies(phone)}
        if held != reply.moment.listing:
            differing = sorted(held.items() ^ reply.moment.listing.items())
            self._simulation.fail("I8", f"{phone.name} shows what the server never was: {differing[:4]}")

    def _own_in_view(self, phone: SimulatedPhone, request: Request) -> dict[Any, set[str]]:
        """What this push says, as its author sees it now."""
        found = {}
        for id in request.mutations:
            entry = phone.memory().entries.find(id)
            if entry and not entry.again:
                found[entry.key, id] = words_of(entry.content()) & phone.in_view(entry.key)
        return found

    def _not_yet_in(self, phone: SimulatedPhone, reply: Reply) -> dict[Any, set[str]]:
        """What was acknowledged, and judged after this page was made: the page can't hold that."""
        if reply.moment is None:
            return {}
        return {
            (entry.key, entry.id): words_of(entry.content()) & phone.in_view(entry.key)
            for entry in phone.memory().entries.marked("settled")
            if self.judged_at.get(str(entry.id), 0) > reply.moment.number
        }

    def _own_stay_in_view(self, phone: SimulatedPhone, own: dict[Any, set[str]]) -> None:
        """O12: what was acknowledged stays before its author's eyes until a page brings it, if it lies on anything."""
        for (key, id), words in own.items():
            entry = phone.memory().entries.find(id)
            lies_on_nothing = self.restored and phone.create_refused(key)
            done = entry and entry.state == "done" and not lies_on_nothing
            if done and (gone := words - phone.in_view(key)):
                self._simulation.fail("O12", f"{phone.name} no longer shows {sorted(gone)}, just acknowledged")

    def _nothing_goes_back(self, phone: SimulatedPhone, reply: Reply, before: dict[Any, int], epoch: Any) -> None:
        """O12: no record on a phone becomes older, unless the server's past is another or the feed was reset."""
        if epoch != phone.memory().meta.copies_epoch or b'"reset":[{' in reply.body or self.restored:
            return
        for key, rev in self._revs(phone).items():
            if rev < before.get(key, 0):
                self._simulation.fail("O12", f"{phone.name}: a record went back from rev {before[key]} to {rev}")

    def _note_acknowledged(self, phone: SimulatedPhone, request: Request, reply: Reply) -> None:
        for id in request.mutations:
            entry = phone.memory().entries.find(id)
            if entry and entry.outcome and entry.state == "done":
                self.acknowledged[str(id)] = entry.outcome.outcome
                self.logs.setdefault(phone.name, set()).update({str(id), *words_of(entry.content())})
            elif b'"refused"' in reply.body and (entry is None or entry.state == "refused"):
                # Taken in a past that a restore took back, and refused in the next: it may be queued anew by now.
                self.acknowledged.pop(str(id), None)

    def _revs(self, phone: SimulatedPhone) -> dict[Any, int]:
        return {(copy["feed"], path): copy["rev"] for path, copy in self._copies(phone)}

    def _copies(self, phone: SimulatedPhone) -> list[tuple[str, dict[str, Any]]]:
        return [(key.rpartition("/")[0], value) for key, value in phone.store.scan("copies")]  # type: ignore[misc]

    def _on_server(self) -> set[str]:
        """Every mutation and every word that the server has, wherever."""
        rows = self._simulation.server.rows
        found = {str(UUID(row[0])) for row in rows("SELECT id FROM received_mutation")}
        for query in ("SELECT fields, was FROM history", "SELECT candidates, held FROM conflicts"):
            for row in rows(query):
                found |= words_of([*row])
        for row in rows("SELECT payload FROM received_mutation WHERE outcome = 'refused' AND payload IS NOT NULL"):
            found |= words_of(bytes(row[0]).decode("utf-8", "replace"))
        return found
