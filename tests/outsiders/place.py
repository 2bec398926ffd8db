"""A server's store with one community, and a worker in it who has a password."""

from pathlib import Path

from app.settings import Settings
from tests.conftest import KEY, opened
from tests.examples import PASSWORD, inhabited

__all__ = ["PASSWORD", "prepared"]


async def prepared(file: Path) -> dict[str, str]:
    """The settings of a server over a new SQLite file with the place of the examples in it."""
    url = f"sqlite:///{file}"
    async with opened(Settings(database_url=url, key=KEY)) as context:
        await inhabited(context)
    return {"QIAOMEN_DATABASE_URL": url, "QIAOMEN_KEY": KEY}
