"""Lists in pages: what a page is asked with, and how it tells where the next one begins (RFC 8288)."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.problems import Problem

MOST_ON_A_PAGE = 200


class NewestFirst(BaseModel):
    """The query parameters of a list that begins with the newest."""

    model_config = ConfigDict(extra="forbid")

    before: UUID | None = Field(None, description="上一页的 `next` · `next` of the page before")
    limit: int = Field(50, ge=1, le=MOST_ON_A_PAGE, description="每页条数 · How many")


def on_this_page(
    found: Sequence[Any], request: Request, response: Response, asked: NewestFirst
) -> tuple[Sequence[Any], UUID | None]:
    """Of `limit + 1` rows that were looked for, those on this page, and the next one's `before`; `Link` leads to it."""
    rows = found[: asked.limit]
    following = rows[-1].id if len(found) > len(rows) else None
    response.headers.update(link_to_next(request, "before", following))
    return rows, following


def link_to_next(request: Request, parameter: str, next: UUID | None) -> dict[str, str]:
    """The header that leads to the next page: the same address and filters, with `parameter` at `next`."""
    if next is None:
        return {}
    same = [(name, value) for name, value in request.query_params.multi_items() if name != parameter]
    return {"Link": f'<{request.url.path}?{urlencode([*same, (parameter, str(next))])}>; rel="next"'}


def each_once(request: Request) -> None:
    """Of a parameter given twice only one would count: that is told, as a misspelt one is. Raises bad_request."""
    _require_once(request, ())


def each_once_but(*several: str) -> Callable[[Request], None]:
    """The same, of every parameter but these, of which each counts."""

    def once(request: Request) -> None:
        _require_once(request, several)

    return once


def _require_once(request: Request, several: Sequence[str]) -> None:
    names = [name for name, _ in request.query_params.multi_items() if name not in several]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Problem(
            "bad_request", errors=[{"pointer": as_pointer(name), "code": "repeated"} for name in sorted(twice)]
        )


def as_pointer(name: str) -> str:
    """To a parameter of the caller's own making: what can't be a misspelt name doesn't come back."""
    return f"/{name}" if re.fullmatch("[a-z_]{1,64}", name) else ""
