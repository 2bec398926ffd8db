"""The OpenAPI document, and Swagger UI at /docs from our own files: it works without the internet."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from app.collections import COLLECTIONS
from app.document import Document, completed

ABOUT = """网格员离线走访的同步服务。先登录（`POST /v1/auth/token`），再登记本机（`POST /v1/replicas`），然后上传、下载
（`POST /v1/sync`）。每个错误都是 RFC 9457 格式，`code` 固定不变，标题为中英文；每个接口都列明它可能答复的代码。

Offline-first sync for people who knock on doors. Sign in (`POST /v1/auth/token`), register the phone
(`POST /v1/replicas`), then push and pull (`POST /v1/sync`). Every error is an RFC 9457 problem with a
stable `code` and a title in Chinese and English; each operation names the codes it can answer."""

_TAGS_BEFORE = [
    ("sign-in", "登录 · Signing in", "用账号密码换取令牌，并保持登录 · Tokens for a password, and fresh ones for old"),
    ("phones", "手机 · Phones", "登记、查看、停用本人的手机 · Register, list and revoke one's own phones"),
    ("sync", "同步 · Sync", "手机所需的全部：上传与下载 · All that a phone needs: push and pull"),
]
_TAGS_AFTER = [
    (
        "reports",
        "报表 · Reports",
        "由走访记录推算，不另填报 · What follows from what was written at the door; nobody fills it in",
    ),
    (
        "imports",
        "导入导出 · Imports",
        "名册以 Excel 或 CSV 导入、导出，先试算 · Rosters in and out as Excel or CSV, tried first",
    ),
    ("people", "人员 · People", "系统管理员建立和停用账号 · System administrators make and disable accounts"),
    (
        "grants",
        "授权 · Grants",
        "谁在哪里有什么角色、何时起止 · Who has which role where, from when to when",
    ),
    (
        "mutations",
        "修改 · Mutations",
        "每次修改的结果，被拒绝的也保留 · What became of every edit; the refused are kept",
    ),
    ("health", "健康 · Health", "供监控使用 · For whoever watches the server"),
]
_WAITING = {"conflicts", "duplicates"}
"""What somebody has to decide."""
_SWAGGER_UI = {
    "validatorUrl": None,  # the badge would be fetched from the internet
    "docExpansion": "none",  # an administrator looks for a section first
    "defaultModelsExpandDepth": 0,
    "displayRequestDuration": True,
    "filter": True,
    "persistAuthorization": True,
}


def documented_app(**options: Any) -> FastAPI:
    """A FastAPI whose documentation comes from the wheel that is installed."""
    app = FastAPIOffline(
        title="Qiaomen 敲门",
        version="0.1.0",
        summary="给敲门人的离线同步服务 · Offline-first sync for people who knock on doors",
        description=ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[
            {
                "url": "/",
                "description": "提供本页的服务器 · The server that shows this page (production)",
                "x-internal": False,
            }
        ],
        openapi_tags=tags(),
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        swagger_ui_parameters=_SWAGGER_UI,
        **options,
    )
    generate = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def tags() -> list[dict[str, str]]:
    """In the order an administrator needs them: what waits for a person first, the tree and the codes last."""
    ordered = sorted(COLLECTIONS.values(), key=lambda c: (c.name not in _WAITING, c.audience == "reference", c.name))
    collections = [(c.name, c.title, c.about) for c in ordered]
    listed = [*_TAGS_BEFORE, *collections, *_TAGS_AFTER]
    return [
        {"name": name, "x-displayName": title, "description": f"{title.partition(' · ')[0]}：{about}"}
        for name, title, about in listed
    ]


def _operation_id(route: APIRoute) -> str:
    return route.name
