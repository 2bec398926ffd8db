"""The records a push touches, as they are inside its transaction: loaded, judged in memory, then written."""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from app.areas import Area
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import ERASED_AT, MERGED_INTO, as_uuid, as_wire
from app.views import HELPER
from sync.decide import Held, Past
from sync.wire import Fields, Mutation

Key = tuple[str, UUID]
AREAS, CONFLICTS = "areas", "conflicts"
PARENTS = {collection.lists_through for collection in COLLECTIONS.values()}
"""Collections through whose records others list."""


@dataclass
class Entry:
    """Where a record stands in a feed."""

    feed_id: int
    hash: int
    live: bool


@dataclass
class Record:
    """One record as it is inside this transaction. `held` is None while nobody has created it."""

    collection: Collection
    id: UUID
    held: Held | None = None
    area_id: UUID | None = None
    stamps: dict[str, Any] = field(default_factory=dict)
    """created_at, created_by: kept as they were, but for whose it is that was made again after a restore."""
    own: dict[str, Any] = field(default_factory=dict)
    """Columns that only the server writes."""
    past: Past = field(default_factory=Past)
    entries: list[Entry] = field(default_factory=list)
    stored: bool = False
    """Does the table have it already?"""
    dirty: bool = False
    moved: bool = False
    """Must it be listed elsewhere, at the same rev?"""
    given_back: bool = False
    """Is it its writer's again, at the same rev and listed where it was?"""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Rows of history this push adds."""
    place: tuple[int, Area | None] | None = None
    """Where it lists; and after how many of the working set's moves that was so."""

    @property
    def key(self) -> Key:
        """(collection, id): the home is the push's."""
        return self.collection.name, self.id

    @property
    def fields(self) -> Fields:
        """What it holds; empty while nobody has created it."""
        return self.held.fields if self.held else {}

    @property
    def erased(self) -> bool:
        """Is nothing left of it but that there was one?"""
        return bool(self.own.get(ERASED_AT))

    @property
    def live_feeds(self) -> list[int]:
        """Feeds that list it."""
        return [entry.feed_id for entry in self.entries if entry.live]


@dataclass
class Working:
    """Everything one push works on. All records are of one home."""

    home: UUID
    records: dict[Key, Record] = field(default_factory=dict)
    areas: dict[UUID, Area] = field(default_factory=dict)
    feeds: dict[tuple[UUID, str], int] = field(default_factory=dict)
    """(owner area, audience) → feed."""
    views: dict[int, int] = field(default_factory=dict)
    """Feed → how many other views of it were open when this looked."""
    open_conflicts: dict[tuple[str, UUID, str], Record] = field(default_factory=dict)
    """(collection, record, field) → the conflict that asks about it."""
    aliases: dict[Key, Key] = field(default_factory=dict)
    """A loaded record that was merged → the one that stayed, loaded as well."""
    refused_creates: set[Key] = field(default_factory=set)
    """Records whose create was refused and which nobody created since."""
    forgotten_creates: set[Key] = field(default_factory=set)
    """Of these those that were refused as erased, or are forgotten by now: nobody will correct them."""
    kept_until: dict[UUID, date] = field(default_factory=dict)
    """Of the campaigns for which something new is recorded: until when."""
    moves: int = 0
    """How often a record has come or gone elsewhere through which others may list."""

    @cached_property
    def home_text(self) -> str:
        """The home as it travels."""
        return str(self.home)

    def record(self, collection: str, id: UUID) -> Record:
        """The record, whether or not it exists yet."""
        found = self.records.get((collection, id))
        if found is None:
            found = self.records[collection, id] = Record(COLLECTIONS[collection], id)
        return found

    def find(self, collection: str, id: UUID) -> Record | None:
        """The record if somebody has created it."""
        record = self.records.get((collection, id))
        return record if record and record.held else None

    def survivor(self, record: Record) -> Record:
        """The record that this one was merged into; itself where it wasn't."""
        return self.records[self.aliases.get(record.key, record.key)]

    def led(self, collection: Collection, fields: Fields) -> Fields:
        """The fields; what refers to a record that was merged refers to the one that stayed."""
        if not self.aliases:
            return fields
        named = ((name, referred, as_uuid(fields.get(name))) for name, referred in collection.references.items())
        into = {name: self.aliases.get((referred, id)) for name, referred, id in named if id}
        return {**fields, **{name: str(key[1]) for name, key in into.items() if key}}

    def open_conflict(self, target: Record, name: str) -> Record | None:
        """The open conflict of one field."""
        return self.open_conflicts.get((*target.key, name))

    def note_conflict(self, conflict: Record) -> None:
        """Keeps `open_conflicts` true when a conflict was loaded or has changed."""
        fields = conflict.fields
        of = (str(fields["of_collection"]), UUID(str(fields["of_record"])), str(fields["field"]))
        if fields["state"] == "open":
            self.open_conflicts[of] = conflict
        elif self.open_conflicts.get(of) is conflict:
            del self.open_conflicts[of]

    def area_of(self, record: Record) -> Area | None:
        """Where the record lists: its own area, or its parent's, as they are now."""
        if record.place is None or record.place[0] != self.moves:
            record.place = self.moves, self._area_of(record)
        return record.place[1]

    def _area_of(self, record: Record) -> Area | None:
        if record.collection.name == AREAS:
            return self.areas.get(record.id)
        parent = self.parent_of(record)
        if parent is not None:
            return self.area_of(parent)
        area_id = as_uuid(record.fields.get("area_id")) or record.area_id
        return self.areas.get(area_id) if area_id else None

    def parent_of(self, record: Record) -> Record | None:
        """The loaded record that decides the listing."""
        return self.parent_named(record.collection, record.fields)

    def parent_named(self, collection: Collection, fields: Fields) -> Record | None:
        """The loaded record that these fields name as the one deciding the listing."""
        name = str(fields.get("of_collection")) if collection.name == CONFLICTS else collection.lists_through
        parent = as_uuid(fields.get(collection.lists_in)) if name != AREAS else None
        return self.find(name, parent) if parent else None

    def feed_of(self, record: Record) -> int | None:
        """The feed that lists the record now."""
        return self.feed_at(self.area_of(record), audience_of(record))

    def feed_at(self, area: Area | None, audience: str) -> int | None:
        """The feed that lists for an audience what lies there."""
        owner = area.owner(audience) if area else None
        return self.feeds.get((owner[1], audience)) if owner else None

    def feeds_of(self, record: Record) -> dict[int, str]:
        """Every feed that lists the record now, with its audience: its own, and other views of it."""
        return self.feeds_at(self.area_of(record), record.collection, audience_of(record))

    def feeds_at(self, area: Area | None, collection: Collection, audience: str) -> dict[int, str]:
        """Where a record of the collection lists that lies there."""
        feed = self.feed_at(area, audience)
        masked = self.feed_at(area, HELPER) if feed and collection.helper_view else None
        return ({feed: audience} if feed else {}) | ({masked: HELPER} if masked else {})


def audience_of(record: Record) -> str:
    """For whom it is listed: a conflict for those who have what it is of."""
    of = record.fields.get("of_collection") if record.collection.name == CONFLICTS else None
    return COLLECTIONS[str(of)].audience if of else record.collection.audience


def as_loaded(working: Working, collection: Collection, row: Any) -> Record:
    """A row of the collection's table as a record of the working set."""
    record, mapping = working.record(collection.name, row.id), row._mapping
    record.held = Held(row.rev, collection.as_fields(mapping), row.field_revs, row.deleted_at is not None)
    record.area_id = row.area_id
    record.stamps = {"created_at": row.created_at, "created_by": row.created_by}
    record.own = {name: mapping[name] for name in collection.own_columns}
    record.stored = True
    if collection.name == CONFLICTS:
        working.note_conflict(record)
    return record


def as_parent(working: Working, collection: Collection, row: Any) -> Record:
    """A record that others refer to: that it is there, and where it lists."""
    record, listed = working.record(collection.name, row.id), as_wire(row._mapping[collection.lists_in])
    record.held = Held(row.rev, {collection.lists_in: listed}, {}, row.deleted_at is not None)
    record.area_id = row.area_id
    record.own = {name: row._mapping[name] for name in collection.own_columns if name in (MERGED_INTO, ERASED_AT)}
    record.stored = True
    return record


def resolution_of(mutation: Mutation) -> Fields:
    """What a resolution says of its target: `{value, base, after}`; empty for anything else."""
    value = mutation.fields.get("resolution") if mutation.collection == CONFLICTS else None
    return value if isinstance(value, dict) else {}


def resolution_base(mutation: Mutation) -> int:
    """The target's rev that the person looked at."""
    base = resolution_of(mutation).get("base")
    return max(0, base) if isinstance(base, int) and not isinstance(base, bool) else 0


def seen_conflict(mutation: Mutation) -> Fields | None:
    """The conflict as its person saw it, which tells what it was of where a restore lost it."""
    for seen in mutation.seen or ():
        named = {"of_collection", "of_record", "field"} <= seen.fields.keys()
        if (seen.collection, seen.record) == (CONFLICTS, mutation.record) and named:
            return seen.fields
    return None


def after_of(mutation: Mutation) -> UUID | None:
    """The mutation that this one lies on; of a resolution, that of its target."""
    return as_uuid(resolution_of(mutation).get("after")) or mutation.after


def stamped(record: Record, now: datetime, person: UUID | None) -> dict[str, Any]:
    """The four columns that say who made and who last changed it."""
    made = record.stamps or {"created_at": now, "created_by": person}
    changed = {"updated_at": now, "updated_by": person} if record.dirty else {}
    return {**made, **changed}
