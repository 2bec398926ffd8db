"""A sync through what openapi-python-client makes."""

import json
import os
from datetime import UTC, datetime
from uuid import UUID, uuid4

from client import AuthenticatedClient, Client
from client.api.phones import post_replica
from client.api.sign_in import post_token
from client.api.sync import pull as pull_page
from client.api.sync import push
from client.api.visits import visits_patch, visits_read
from client.models import (
    Change,
    Mutation,
    MutationFields,
    MutationOp,
    NewReplica,
    NewReplicaTokens,
    Page,
    ProblemBody,
    PullBody,
    PushAnswer,
    PushBody,
    TokenForm,
    TokenFormGrantType,
    Tokens,
    VisitPatch,
    VisitRead,
)

SERVER = os.environ["SERVER"]
form = TokenForm(grant_type=TokenFormGrantType.PASSWORD, username="li", password=os.environ["PASSWORD"])
tokens = post_token.sync(client=Client(base_url=SERVER), body=form)
assert isinstance(tokens, Tokens), tokens
person = AuthenticatedClient(base_url=SERVER, token=tokens.access_token)
introduction = NewReplica(name="小李的手机", platform="wechat", app_version="1.0")
registered = post_replica.sync(client=person, body=introduction)
assert isinstance(registered, NewReplicaTokens), registered
phone = AuthenticatedClient(base_url=SERVER, token=registered.access_token)


def pull(cursor: str | None) -> list[Page]:
    pages: list[Page] = []
    while not pages or not pages[-1].complete:
        page = pull_page.sync(client=phone, body=PullBody(protocol=1, cursor=cursor, limit=5))
        assert isinstance(page, Page), page
        pages.append(page)
        cursor = page.cursor or cursor
    return pages


def changes_of(pages: list[Page]) -> list[Change]:
    return [change for page in pages for change in page.changes or []]


def create(collection: str, record: UUID, fields: dict[str, object]) -> Mutation:
    said = MutationFields.from_dict(fields)
    made = {"id": uuid4(), "collection": collection, "record": record, "op": MutationOp.CREATE, "base": 0}
    return Mutation(**made, made_at=datetime.now(UTC), fields=said)  # type: ignore[arg-type]


before = pull(None)
placed = [change for change in changes_of(before) if change.fields]
building = next(change for change in placed if change.fields and change.fields.to_dict().get("level") == "building")
household, visit = uuid4(), uuid4()
edits = [
    create("households", household, {"area_id": str(building.record), "door": "101"}),
    create("visits", visit, {"household_id": str(household), "outcome": "opened", "note": "一切安好。"}),
]
pushed = push.sync(client=phone, body=PushBody(protocol=1, home=building.home, mutations=edits))
assert isinstance(pushed, PushAnswer), pushed
down = changes_of(pull(before[-1].cursor or None))
read = visits_read.sync(visit, client=phone)
assert isinstance(read, VisitRead), read
stale = visits_patch.sync(visit, client=phone, body=VisitPatch(note="…"), if_match='"7"')
assert isinstance(stale, ProblemBody), stale
outcomes = [outcome.outcome for outcome in pushed.outcomes]
pulled = any(change.record == visit for change in down)
print(json.dumps({"outcomes": outcomes, "pulled": pulled, "note": read.note, "code": stale.code}, ensure_ascii=False))
