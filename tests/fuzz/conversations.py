"""Which answer leads to which request: what a document can't tell a machine that is to hold a conversation."""

import copy
from typing import Any

from app.collections import COLLECTIONS

Document = dict[str, Any]
OF_A_RECORD = ("read", "patch", "delete", "history")


def linked(document: Document) -> Document:
    """The document with links: what was made is read, changed, deleted and remembered; what was pushed is pulled."""
    document = copy.deepcopy(document)
    known = {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}
    for name in COLLECTIONS:
        possible = [which for which in OF_A_RECORD if f"{name}_{which}" in known]
        later = {which: link(f"{name}_{which}", id="$response.body#/id") for which in possible}
        for which in {"patch", "delete"} & later.keys():
            later[which]["parameters"]["If-Match"] = "$response.header.ETag"
        for first, status in (("create", "201"), ("patch", "200"), ("read", "200")):
            if f"{name}_{first}" in known:
                add(known[f"{name}_{first}"], status, later)
        # The first area is what the others lie in: without it there would be little left to talk about.
        safe = [which for which in possible if (name, which) != ("areas", "delete")]
        listed = {f"first_{which}": link(f"{name}_{which}", id="$response.body#/items/0/id") for which in safe}
        add(known[f"{name}_list_all"], "200", listed)
    pull = known_by(document, "/v1/sync/pull")
    again = {"operationId": pull["operationId"], "requestBody": {"cursor": "$response.body#/cursor"}}
    for path, place in (("/v1/sync/pull", "/cursor"), ("/v1/sync", "/page/cursor")):
        add(
            known_by(document, path),
            "200",
            {"next_page": {**again, "requestBody": {"cursor": f"$response.body#{place}"}}},
        )
    add(known_by(document, "/v1/sync/push"), "200", {"what_is_new": {**again, "requestBody": {}}})
    return document


def link(operation: str, **parameters: str) -> Document:
    return {"operationId": operation, "parameters": parameters}


def add(operation: Document, status: str, links: Document) -> None:
    operation["responses"][status].setdefault("links", {}).update(links)


def known_by(document: Document, path: str) -> Document:
    found: Document = document["paths"][path]["post"]
    return found
