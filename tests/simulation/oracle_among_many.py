"""The oracle of a server at which several requests are at work."""

from typing import Any

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
