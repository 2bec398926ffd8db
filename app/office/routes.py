"""/office: one document with its own script and style, on which an office signs in and reads reports.

It works without the internet, keeps its token in memory alone, and asks for nothing but what any client may.
"""

import hashlib
from base64 import b64encode
from pathlib import Path

from fastapi import APIRouter, Response

from app.reports.page import STYLE_SOURCE

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _source(text: str) -> str:
    """As a policy lets it in: this very text, and no other."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# One script: the page's own last, since it begins to run at its end.
_SCRIPT, _STYLE = _read("choices.js") + _read("page.js"), _read("page.css")
_PAGE = _read("page.html").replace("{{ style }}", _STYLE).replace("{{ script }}", _SCRIPT).encode()
# What a report's page may do within this one is what both allow: its own style is let in here too.
POLICY = (
    f"default-src 'none'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)} {STYLE_SOURCE}; "
    "img-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@router.get("/office")
async def get_office() -> Response:
    """办公页面：登录、选区域和报表、查看、打印、下载 Excel。

    Sign in, choose an area and a report, look at it, print it, download it as Excel.
    """
    return Response(_PAGE, headers={"Content-Security-Policy": POLICY}, media_type="text/html")
