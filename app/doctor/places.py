"""For the doctor: where areas lie in their tree, and where records are listed and at which rev."""

from typing import Any

import sqlalchemy as sa

from app.areas import TEAM
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import MERGED_INTO
from app.tables import Feed, FeedEntry
from app.views import HELPER
from app.working import CONFLICTS

_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_PARENT = _AREA.alias("parent")


def drifted_areas() -> dict[str, sa.Select[Any]]:
    """Ids of areas that aren't where their parent says; see `placed` in areas.py, of which this is the SQL."""
    area = sa.select(_AREA.c.id).outerjoin(_PARENT, _PARENT.c.id == _AREA.c.parent_id)
    top, hex = _PARENT.c.id.is_(None), _hex(_AREA.c.id)
    path = sa.func.coalesce(_PARENT.c.path, "/") + hex + "/"
    feed_level = sa.func.coalesce(_PARENT.c.feed_level, _AREA.c.feed_level)
    home_level = sa.func.coalesce(_PARENT.c.home_level, _AREA.c.home_level)
    own = sa.case((_AREA.c.level == feed_level, _AREA.c.id))
    feed_area = sa.case((_AREA.c.level != TEAM, sa.func.coalesce(_PARENT.c.feed_area_id, own)))
    within = sa.and_(~top, sa.or_(_PARENT.c.level == home_level, _PARENT.c.home != _PARENT.c.id))
    home = sa.case((within, _PARENT.c.home), else_=_AREA.c.id)
    root = sa.case((top, hex), else_=sa.func.substr(_PARENT.c.path, 2, 32))
    reference = sa.case((sa.or_(within, _AREA.c.level == home_level), _hex(home)), else_=root)
    orphan = sa.and_(_AREA.c.parent_id.is_not(None), top)
    return {
        "area_parent": area.where(orphan),
        "area_path": area.where(~orphan, _AREA.c.path != path),
        "area_home": area.where(~orphan, _AREA.c.home != home),
        "area_feed": area.where(~orphan, _AREA.c.feed_area_id.is_distinct_from(feed_area)),
        "area_reference": area.where(~orphan, _hex(_AREA.c.reference_area_id) != reference),
    }


def _hex(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """An id as paths spell it, on either store."""
    return sa.func.replace(sa.cast(column, sa.Text), "-", "")


def drifted_entries() -> dict[str, sa.Select[Any]]:
    """Entries of no feed, of collections that nobody has declared, and dead ones that a digest would count."""
    entry = sa.select(_ENTRY.c.collection, _ENTRY.c.record_id, _ENTRY.c.feed_id)
    feed = sa.exists(sa.select(1).where(_FEED.c.home == _ENTRY.c.home, _FEED.c.id == _ENTRY.c.feed_id))
    return {
        "entry_without_feed": entry.where(~feed),
        "entry_of_no_collection": entry.where(_ENTRY.c.collection.not_in([*COLLECTIONS])),
        "entry_dead_with_hash": entry.where(~_ENTRY.c.live, _ENTRY.c.hash != 0),
    }


def drifted_records() -> dict[str, sa.Select[Any]]:
    """For each collection: what isn't listed where it lies, and what is listed that isn't there, or otherwise."""
    found = {check: drifted for collection in COLLECTIONS.values() for check, drifted in _of(collection).items()}
    return found | {f"alias_astray.{c.name}": _aliases(c.table) for c in COLLECTIONS.values() if c.same}


def _aliases(table: sa.Table) -> sa.Select[Any]:
    """Records that were merged and don't lead, at once, to one that wasn't; or that are there all the same."""
    stays = table.alias("stays")
    into = sa.and_(stays.c.home == table.c.home, stays.c.id == table.c[MERGED_INTO])
    wrong = sa.or_(stays.c.id.is_(None), stays.c[MERGED_INTO].is_not(None), table.c.deleted_at.is_(None))
    return sa.select(table.c.id).outerjoin(stays, into).where(table.c[MERGED_INTO].is_not(None), wrong)


def _of(collection: Collection) -> dict[str, sa.Select[Any]]:
    table, name = collection.table, collection.name
    area = _AREA.alias("area")
    lies = sa.and_(area.c.home == table.c.home, area.c.id == table.c.area_id)
    owner = (area.c.home, area.c.feed_area_id)
    if collection.audience == "reference":
        # A community's own codes may be listed above it: its area alone says where.
        lies, owner = area.c.id == table.c.area_id, (area.c.reference_area_id, area.c.reference_area_id)
    audiences = [collection.audience, *([HELPER] if collection.helper_view else [])]
    owned = sa.and_(_FEED.c.owner_id == owner[1], _FEED.c.audience.in_(audiences))
    if collection.audience == "team" or collection.name == CONFLICTS:
        # A team owns no feed of staff, and nobody but a team one of a team.
        owned = sa.or_(owned, sa.and_(_FEED.c.owner_id == area.c.id, _FEED.c.audience == "team"))
    owned = sa.and_(_FEED.c.home == owner[0], owned)
    right = sa.and_(_ENTRY.c.home == _FEED.c.home, _ENTRY.c.feed_id == _FEED.c.id, _ENTRY.c.live)
    records = sa.select(table.c.id).outerjoin(area, lies).outerjoin(_FEED, owned)
    records = records.outerjoin(_ENTRY, sa.and_(right, _is_of(collection)))
    entries = sa.select(_ENTRY.c.record_id, _ENTRY.c.feed_id).where(_ENTRY.c.collection == name)
    known = entries.where(_ENTRY.c.live).join(table, _is_of(collection))
    right_feed = sa.and_(owned, _FEED.c.home == _ENTRY.c.home, _FEED.c.id == _ENTRY.c.feed_id)
    there = sa.select(1).select_from(area).join(_FEED, right_feed).where(lies).correlate(table, _ENTRY)
    return {
        f"record_unlisted.{name}": records.where(table.c.deleted_at.is_(None), _ENTRY.c.record_id.is_(None)),
        f"entry_without_record.{name}": entries.outerjoin(table, _is_of(collection)).where(table.c.id.is_(None)),
        f"entry_astray.{name}": known.where(sa.or_(table.c.deleted_at.is_not(None), ~sa.exists(there))),
        f"entry_rev.{name}": known.where(_ENTRY.c.rev != table.c.rev),
    }


def _is_of(collection: Collection) -> sa.ColumnElement[bool]:
    """An entry and its record. Areas and codes above communities are listed in the home of their root."""
    table = collection.table
    same = sa.and_(_ENTRY.c.collection == collection.name, _ENTRY.c.record_id == table.c.id)
    return same if collection.audience == "reference" else sa.and_(same, _ENTRY.c.home == table.c.home)


def listed_records(collection: Collection) -> sa.Select[Any]:
    """Rows of a collection with each live entry's hash, body and audience, at the same rev."""
    table = collection.table
    same = sa.and_(_is_of(collection), _ENTRY.c.live, _ENTRY.c.rev == table.c.rev)
    feed = sa.and_(_FEED.c.home == _ENTRY.c.home, _FEED.c.id == _ENTRY.c.feed_id)
    columns = (*table.c, _ENTRY.c.feed_id, _ENTRY.c.hash, _ENTRY.c.body, _FEED.c.audience)
    return sa.select(*columns).join(_ENTRY, same).join(_FEED, feed)
