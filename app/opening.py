"""Opening the store and the key: what must hold before this server says a word."""

import os
import stat
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from app.context import Context
from app.database import Database
from app.postgres import Postgres
from app.schema import ensure_server_row, migrate, schema_is_at_head
from app.settings import Settings
from app.sqlite import Sqlite
from app.wall import gaps_in_wall
from sync.seams import Seams

SHORTEST_KEY = 32
OLDEST_POSTGRES = 15


class CannotOpen(Exception):
    """Why this server can't start, in words for whoever starts it. Never holds a URL or a key."""


async def open_context(settings: Settings, seams: Seams) -> Context:
    """The store at head and the key in hand. The embedded store migrates itself; PostgreSQL never does."""
    database = open_database(settings, seams)
    if settings.database_file is not None:
        # People's records: only the owner may read the file; what SQLite puts beside it follows suit.
        settings.database_file.touch(mode=0o600)
    try:
        await require_version(database)
        if settings.embedded:
            await migrate(database)
        elif not await schema_is_at_head(database):
            raise CannotOpen("The database is not at this version's schema. Run `qiaomen migrate` first.")
        elif gaps := await gaps_in_wall(database):
            raise CannotOpen(f"Row-level security is not in force ({', '.join(gaps)}). Run `qiaomen migrate`.")
        key = find_key(settings, seams)
        return Context(database, seams, key, await ensure_server_row(database, seams), settings.day_begins)
    except BaseException:
        await database.close()
        raise


def open_database(settings: Settings, seams: Seams) -> Database:
    """The store that QIAOMEN_DATABASE_URL names; connects to nothing yet."""
    try:
        url = sa.make_url(settings.database_url)
    except ArgumentError:
        raise CannotOpen("QIAOMEN_DATABASE_URL is not a URL.") from None
    kind = url.drivername.split("+")[0]
    if kind == "sqlite":
        return Sqlite(_sqlite_url(settings), seams)
    if kind in ("postgresql", "postgres"):
        # libpq says sslmode, asyncpg says ssl, and the words for it are the same.
        query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
        address = url.set(query=query).render_as_string(hide_password=False)
        return Postgres(address, seams, settings.pool_size)
    raise CannotOpen("QIAOMEN_DATABASE_URL must begin with sqlite:/// or postgresql://")


async def require_version(database: Database) -> None:
    """PostgreSQL 15 or newer; SQLite comes with Python."""
    async with database.snapshot("server") as snapshot:
        version = snapshot.connection.dialect.server_version_info or (0,)
        if isinstance(database, Postgres) and int(version[0]) < OLDEST_POSTGRES:
            raise CannotOpen(f"PostgreSQL {version[0]} is too old; this needs {OLDEST_POSTGRES} or newer.")


def find_key(settings: Settings, seams: Seams) -> bytes:
    """QIAOMEN_KEY, else on the embedded store the file beside it, made at the first start."""
    if settings.key is not None:
        return _long_enough(settings.key, "QIAOMEN_KEY")
    if settings.database_file is None:
        raise CannotOpen(f"On PostgreSQL set QIAOMEN_KEY, {SHORTEST_KEY} random characters or more.")
    file = settings.database_file.with_suffix(".key")
    try:
        return _write_key(file, seams)
    except FileExistsError:
        return _read_key(file)


def _sqlite_url(settings: Settings) -> str:
    file = settings.database_file
    if file is None or file.name == ":memory:":
        raise CannotOpen("The embedded store needs a file: sqlite:///qiaomen.db")
    if not file.parent.is_dir():
        raise CannotOpen("The folder of the SQLite file in QIAOMEN_DATABASE_URL does not exist.")
    return settings.database_url


def _write_key(file: Path, seams: Seams) -> bytes:
    """Only its owner may read it, from its first moment; never over one that is there."""
    key = seams.random_bytes(32).hex().encode()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(key)
        opened.flush()
        os.fsync(opened.fileno())
    return key


def _read_key(file: Path) -> bytes:
    if os.name == "posix" and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CannotOpen(f"Others can read {file.name}. Run `chmod 600 {file.name}`.")
    return _long_enough(file.read_text("ascii").strip(), file.name)


def _long_enough(key: str, name: str) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise CannotOpen(f"{name} is shorter than {SHORTEST_KEY} characters.")
    return key.encode()
