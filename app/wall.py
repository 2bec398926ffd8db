"""The second wall, on PostgreSQL: row-level security behind access.py, in words of its own.

What is read for a person is read as the role `qiaomen_reader`, which sees of every walled table only rows that this
person's feeds list at that moment, whatever the application's own check says. `qiaomen migrate` raises it from what
is declared, and a server before which it doesn't stand refuses to start. Writing, and the server's own work, is done
as the role that connects, which it doesn't concern.
"""

import hashlib

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Database
from app.failures import sqlstate_of
from app.roles import READ_GRANTS
from app.viewing import READER

OPEN = {"person": "(id, login, created_at, disabled_at)", "replica": "", "server": "", "sign_in": ""}
"""Tables that are read before anybody is named, to know who calls; of `person` everything but the password."""

_VIEWER, _NOW = "(SELECT qiaomen_viewer())", "(SELECT qiaomen_now())"
_AREAS = COLLECTIONS["areas"].table.name


def _in_force(rows: str) -> str:
    """Of what is the viewer's, what has begun and hasn't ended."""
    dates = f"{rows}.since <= {_NOW} AND ({rows}.until IS NULL OR {rows}.until > {_NOW})"
    return f"{rows}.person_id = {_VIEWER} AND {dates}"


def _followed(home: str, feed: str) -> str:
    """Is this one of the feeds that the viewer follows?"""
    return f"({home}, {feed}) IN (SELECT mine.home, mine.feed_id FROM follow AS mine WHERE {_in_force('mine')})"


def _listed(table: str, homes: str, collection: str, id: str, more: str) -> str:
    """Does one of those feeds, in these homes, list the record? (feed_entry is walled itself.)

    OFFSET keeps the planner from reading every entry of the collection once, where each row can look its own up.
    """
    of_it = f"entry.collection = {collection} AND entry.record_id = {table}.{id} AND {more}"
    return f"EXISTS (SELECT FROM feed_entry AS entry WHERE entry.home {homes} AND {of_it} OFFSET 0)"


_FOLLOWED_HOMES = f"= ANY (ARRAY(SELECT DISTINCT mine.home FROM follow AS mine WHERE {_in_force('mine')}))"
"""What lies above communities is listed in the home of its root."""


def _of(collection: Collection) -> str:
    table, reference = collection.table.name, collection.audience == "reference"
    homes, more = (_FOLLOWED_HOMES, "true") if reference else (f"= {table}.home", "entry.live")
    return _listed(table, homes, f"'{collection.name}'", "id", more)


_REFERENCE = ", ".join(f"'{c.name}'" for c in COLLECTIONS.values() if c.audience == "reference")
# A feed that a record has left lists it at the rev with which it left: what it became later is not this feed's.
_PAST = ("history.collection", "record_id", "entry.rev >= history.rev")
WALLED = {
    "follow": f"person_id = {_VIEWER}",
    "feed": _followed("home", "id"),
    "feed_mark": _followed("home", "feed_id"),
    "feed_entry": _followed("home", "feed_id"),
    "history": f"{_listed('history', '= history.home', *_PAST)} "
    f"OR collection IN ({_REFERENCE}) AND {_listed('history', _FOLLOWED_HOMES, *_PAST)}",
    "received_mutation": f"person_id = {_VIEWER}",
    "grant": f"person_id = {_VIEWER} OR EXISTS (SELECT FROM {_AREAS} AS area, qiaomen_overseen() AS over (above) "
    'WHERE area.home = "grant".area_home AND area.id = "grant".area_id AND starts_with(area.path, over.above))',
    "enclave": "id IN (SELECT qiaomen_enclaves())",
    **{collection.table.name: _of(collection) for collection in COLLECTIONS.values()},
}
"""Table → what a row must be for its viewer to see it."""

_FUNCTIONS = (
    "CREATE OR REPLACE FUNCTION qiaomen_viewer() RETURNS uuid LANGUAGE sql STABLE "
    "RETURN nullif(current_setting('qiaomen.person', true), '')::uuid",
    "CREATE OR REPLACE FUNCTION qiaomen_now() RETURNS timestamptz LANGUAGE sql STABLE "
    "RETURN nullif(current_setting('qiaomen.now', true), '')::timestamptz",
    # As their owner, who sees all: a policy on grants can't ask itself, and of an enclave's areas one lies elsewhere.
    "CREATE OR REPLACE FUNCTION qiaomen_overseen() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER "
    f'SET search_path FROM CURRENT AS $$ SELECT area.path FROM "grant" AS mine JOIN {_AREAS} AS area '
    f"ON area.home = mine.area_home AND area.id = mine.area_id "
    f"WHERE {_in_force('mine')} AND mine.role IN ({', '.join(map(repr, sorted(READ_GRANTS)))}) $$",
    "CREATE OR REPLACE FUNCTION qiaomen_enclaves() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER "
    f"SET search_path FROM CURRENT AS $$ SELECT enclave.id FROM enclave JOIN {_AREAS} AS area "
    "ON (area.home, area.id) IN ((area_home, enclave.area_id), (administrative_home, administrative_id)) "
    "JOIN qiaomen_overseen() AS over (above) ON starts_with(area.path, over.above) $$",
)
# From PostgreSQL 16 on, whoever makes a role is a member that may not yet act as it.
_MAY_ACT = (
    f"SELECT FROM pg_roles AS reader WHERE rolname = '{READER}' AND pg_has_role(current_user, reader.oid, "
    "CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)"
)
_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN CREATE ROLE {READER} NOLOGIN; END IF;
    IF NOT EXISTS ({_MAY_ACT}) THEN
        EXECUTE format('GRANT {READER} TO %I', current_user);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {READER}', current_schema);
END $$
"""
_GAPS = sa.text(f"""
SELECT wanted.name FROM unnest(CAST(:names AS text[]), CAST(:digests AS text[])) AS wanted(name, digest)
WHERE NOT EXISTS (
    SELECT FROM pg_class AS walled JOIN pg_policy AS wall ON wall.polrelid = walled.oid
    WHERE walled.oid = to_regclass(quote_ident(wanted.name)) AND walled.relrowsecurity AND wall.polname = 'wall'
        AND obj_description(wall.oid, 'pg_policy') = wanted.digest)
UNION ALL SELECT 'role' WHERE NOT EXISTS ({_MAY_ACT} AND NOT rolsuper AND NOT rolbypassrls)
""")


class WallRefused(Exception):
    """Why it can't be raised, in words for whoever migrates."""


def raise_wall(connection: sa.Connection) -> None:
    """Makes the role, where the cluster has none, and every policy anew. Commits nothing."""
    try:
        connection.execute(sa.text(_ROLE))
    except DBAPIError as error:
        if sqlstate_of(error) != "42501":
            raise
        raise WallRefused(
            f"This database role may not make `{READER}`. Let an administrator say once: "
            f"CREATE ROLE {READER} NOLOGIN; GRANT {READER} TO the role in QIAOMEN_DATABASE_URL;"
        ) from error
    for function in _FUNCTIONS:
        connection.execute(sa.text(function))
    for table, columns in OPEN.items():
        connection.execute(sa.text(f'GRANT SELECT {columns} ON "{table}" TO {READER}'))
    for table, shown in WALLED.items():
        for words in (
            f'GRANT SELECT ON "{table}" TO {READER}',
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'CREATE POLICY everybody ON "{table}" USING (true)',
            f'CREATE POLICY wall ON "{table}" AS RESTRICTIVE FOR SELECT TO {READER} USING ({shown})',
            f"COMMENT ON POLICY wall ON \"{table}\" IS '{_digest(shown)}'",
        ):
            connection.execute(sa.text(words))


def lower_wall(connection: sa.Connection) -> None:
    """Takes every policy away, so that tables may change: they refer to one another in them. Commits nothing."""
    for table in WALLED:
        if sa.inspect(connection).has_table(table):
            for policy in ("wall", "everybody"):
                connection.execute(sa.text(f'DROP POLICY IF EXISTS {policy} ON "{table}"'))


async def gaps_in_wall(database: Database) -> list[str]:
    """Tables on which it doesn't stand as it should, and `role` where nobody could read through it."""
    wanted = {"names": [*WALLED], "digests": [_digest(shown) for shown in WALLED.values()]}
    async with database.snapshot("server") as snapshot:
        return [str(row.name) for row in await snapshot.rows(_GAPS.bindparams(**wanted))]


def _digest(shown: str) -> str:
    return hashlib.sha256("".join([shown, *_FUNCTIONS]).encode()).hexdigest()[:16]
