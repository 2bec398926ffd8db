"""`qiaomen doctor`: what is derived, computed anew and compared. Ids, counts and codes only."""

from collections.abc import Callable

from app.commands.session import told
from app.doctor import Finding, findings
from app.opening import CannotOpen, open_database, require_version
from app.schema import schema_is_at_head
from app.settings import settings
from sync import seams


def doctor(say: Callable[[str], None]) -> bool:
    """One line a check, as each is done; does all agree?

    Opened without what opening a server does: that would migrate, or begin an epoch on a copy put back elsewhere.
    """

    async def run() -> bool:
        file = settings().database_file
        if file is not None and not file.is_file():
            raise CannotOpen("The SQLite file in QIAOMEN_DATABASE_URL does not exist.")
        database = open_database(settings(), seams.real())
        healthy = True
        try:
            await require_version(database)
            if not await schema_is_at_head(database):
                raise CannotOpen("The database is not at this version's schema. Run `qiaomen migrate` first.")
            async for finding in findings(database):
                say(as_line(finding))
                healthy = healthy and not finding.differing
            return healthy
        finally:
            await database.close()

    return told(run)


def as_line(finding: Finding) -> str:
    """The check's name, how much differs, and of what, where there is anything."""
    more = ["…"] if finding.differing > len(finding.ids) else []
    return "\t".join(
        [finding.check, str(finding.differing), *([" ".join([*finding.ids, *more])] if finding.ids else [])]
    )
