"""Which pages of other sites may call, and what they may send and read. Mini-programs and apps need none of it."""

from typing import Any

CORS_OPTIONS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": [
        *("Authorization", "Content-Type", "Content-Encoding", "Accept-Language"),
        *("Idempotency-Key", "If-Match", "If-None-Match", "X-HTTP-Method-Override"),
    ],
    "expose_headers": [
        *("ETag", "Link", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "Content-Language"),
    ],
    # Callers show tokens, never cookies: a page has no credentials that a browser would add by itself.
    "allow_credentials": False,
}
