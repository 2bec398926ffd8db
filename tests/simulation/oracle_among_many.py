"""The oracle of a server at which several requests are at work."""

from typing import Any

from sync import cursor as cursors
from tests.simulation.oracle import Listing, Oracle


class OracleAmongMany(Oracle):
    """While others are at work, a page's moment is nobody's to know, and who may read what may just have ended."""

    def listing_for(self, login: str) -> Listing:
        """None while others are at work: then nothing is compared."""
        return super().listing_for(login) if self._simulation.healing else None  # type: ignore[return-value]

    def _only_what_may_be_read(self, login: str, page: dict[str, Any]) -> None:
        may = self._simulation.readable  # type: ignore[attr-defined]
        named = {one["feed"] for one in (*page.get("changes", ()), *page.get("gained", ()))}
        if foreign := named - (self._simulation.server.reading(login) if may is None else may):
            self._simulation.fail("I4", f"{login} was sent feeds {sorted(foreign)}")
        if page.get("cursor"):
            self._holds_what_its_cursor_covers(page)

    def _holds_what_its_cursor_covers(self, page: dict[str, Any]) -> None:
        """I5: the next page begins behind this one's last entry, wherever feeds have moved to meanwhile."""
        context = self._simulation.server.context
        reached = cursors.decode(page["cursor"], context.server_id, context.subkey("cursor")).feeds
        for change in page["changes"]:
            if change["seq"] > reached[change["feed"]].seq:
                self._simulation.fail("I5", "a page held what its cursor doesn't cover")
