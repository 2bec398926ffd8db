"""Which of its two languages a problem speaks: Accept-Language, by RFC 9110."""

from functools import lru_cache
from typing import Literal

from starlette.types import Scope

Language = Literal["zh", "en"]
_LONGEST_CHARACTERS = 256
"""Of the header; browsers send 40. What stands behind isn't read."""


def language_of(scope: Scope) -> Language | None:
    """What the request would rather read; None when it doesn't say, or neither will do."""
    said = [value for name, value in scope["headers"] if name == b"accept-language"]
    return preferred(b",".join(said).decode("latin-1")[:_LONGEST_CHARACTERS]) if said else None


@lru_cache(256)
def preferred(header: str) -> Language | None:
    """The language of higher quality, the first named of equals; `*` stands for what isn't named.

    Regions and scripts make no difference: `zh-Hant-TW` is `zh`.
    """
    quality: dict[str, float] = {}
    for part in header.lower().split(","):
        tag, _, parameter = part.partition(";")
        name = tag.strip().split("-")[0]
        if name in ("zh", "en", "*"):
            quality[name] = max(quality.get(name, 0.0), _quality(parameter))
    others = quality.pop("*", 0.0)
    if not quality:
        return None
    for name in ("zh", "en"):
        quality.setdefault(name, others)
    best = max(quality, key=quality.__getitem__)
    if quality[best] == 0:
        return None
    return "zh" if best == "zh" else "en"


def _quality(parameter: str) -> float:
    """`q=0.8`: between 0 and 1, and 1 where it isn't said. What is no number is as good as not asked for."""
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
