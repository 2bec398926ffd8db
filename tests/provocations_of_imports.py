"""How each code is had that only a file, or a form to fill, is answered with."""

import httpx

from app import bounds
from tests.provocations_of_records import Provocation, said
from tests.stage import ROSTER, Stage


def file(content: bytes) -> Provocation:
    """The good request with another file."""
    return said(files={"file": ("roster.csv", content)})


async def body_too_large(stage: Stage) -> httpx.Response:
    most = bounds.MOST_FILE_BYTES_AT.get(stage.path, bounds.MOST_BODY_BYTES)
    return await stage.ask(content=b" " * (most + 1))


async def unknown_field(stage: Stage) -> httpx.Response:
    if stage.name == "post_import":
        return await stage.ask_with(mapping='{"zebra": "zebra"}')
    if stage.name == "post_export":
        return await stage.ask_with(mapping={"zebra": "zebra"})
    return await stage.ask(json={"zebra": 1})


async def sheet_too_large(stage: Stage) -> httpx.Response:
    if stage.name == "post_export":
        stage.patch.setattr("app.imports.exporting.MOST_DOORS", -1)
        return await stage.ask()
    return await file(b"," * 200 + b"x")(stage)


async def sheet_not_found(stage: Stage) -> httpx.Response:
    return await stage.ask_with(sheet="zebra")


OF_IMPORTS: dict[str, Provocation] = {
    **{made.__name__: made for made in (body_too_large, unknown_field, sheet_too_large, sheet_not_found)},
    "sheet_unreadable": file(b"PK\x03\x04" + ROSTER),
    "columns_missing": file(b"zebra"),
}
