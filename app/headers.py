"""Security headers on every answer, errors included, and what else a request wants said on its answer.

A route that sets one of them keeps its own.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCUMENTS = ("/docs", "/static-offline-docs")
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
OWN_SCRIPTS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""For Swagger UI, whose page starts itself with an inline script."""

ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}
OVER_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}
"""Only where the request came so, or a site without a certificate would be locked out. Nothing is said of
other hosts under this name: they are somebody else's."""

Lines = list[tuple[bytes, bytes]]


class SecurityHeaders:
    """Plain ASGI, so that a streamed answer stays a stream."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                lines = list(message.get("headers", ()))
                held = {name for name, _ in lines}
                # Another site may read only what it was allowed to: the two must not contradict each other.
                sites = "cross-origin" if b"access-control-allow-origin" in held else "same-origin"
                lines += [line for line in lines_for(scope["path"], scope["scheme"], sites) if line[0] not in held]
                lines += scope.get("state", {}).get("said", ())
                message = {**message, "headers": lines}
            await send(message)

        await self.app(scope, receive, sending)


def say(scope: Scope, *lines: tuple[bytes, bytes]) -> None:
    """On the answer to this request, whatever it will be."""
    scope.setdefault("state", {})["said"] = lines


def lines_for(path: str, scheme: str, sites: str = "same-origin") -> Lines:
    """As they travel, names in lower case; `sites` says who may load the answer."""
    return _LINES[path.startswith(DOCUMENTS), scheme == "https", sites]


def _lines(document: bool, https: bool, sites: str) -> Lines:
    policy = OWN_SCRIPTS if document else NOTHING
    named = {**ALWAYS, "Content-Security-Policy": policy, "Cross-Origin-Resource-Policy": sites}
    named |= OVER_HTTPS if https else {}
    return [(name.lower().encode(), value.encode()) for name, value in named.items()]


_LINES = {
    (document, https, sites): _lines(document, https, sites)
    for document in (False, True)
    for https in (False, True)
    for sites in ("same-origin", "cross-origin")
}
