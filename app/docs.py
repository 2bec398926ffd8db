"""The OpenAPI document, and Swagger UI at /docs from our own files: it works without the internet."""

from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import record_routes, sync_routes
from app.handlers import PROBLEM_RESPONSES
from sync.wire import ProblemBody

ABOUT = """Offline-first sync for people who knock on doors 敲门.

Sign in (`POST /v1/auth/token`), register the phone (`POST /v1/replicas`), then push and pull.
Every error is an RFC 9457 problem with a stable `code`."""


def documented_app(**options: Any) -> FastAPI:
    """A FastAPI whose documentation comes from the wheel that is installed."""
    app = FastAPIOffline(
        title="Qiaomen 敲门",
        version="0.1.0",
        description=ABOUT,
        redoc_url=None,
        responses=PROBLEM_RESPONSES,
        redirect_slashes=False,
        # The badge would be fetched from the internet.
        swagger_ui_parameters={"validatorUrl": None},
        **options,
    )
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("ProblemBody", ProblemBody.model_json_schema(mode="serialization"))
        _add_bodies(schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _add_bodies(schemas: dict[str, Any]) -> None:
    """The request bodies that readers of our own parse: their models are named, not imported, by the routes."""
    for model in (*record_routes.BODIES, *sync_routes.BODIES):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(name, definition)
        schemas.setdefault(model.__name__, schema)
