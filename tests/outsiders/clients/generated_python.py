"""A sync through what openapi-generator makes for Python."""

import json
import os
from datetime import UTC, datetime
from uuid import UUID, uuid4

from generated import ApiClient, ApiException, Configuration, PhonesApi, SignInApi, SyncApi, VisitsApi
from generated.models import Change, Mutation, NewReplica, Page, PullBody, PushBody, VisitPatch

SERVER = os.environ["SERVER"]
signed_out = SignInApi(ApiClient(Configuration(host=SERVER)))
tokens = signed_out.post_token(grant_type="password", username="li", password=os.environ["PASSWORD"])
person = PhonesApi(ApiClient(Configuration(host=SERVER, access_token=tokens.access_token)))
registered = person.post_replica(NewReplica(name="小李的手机", platform="wechat", app_version="1.0"))
phone = ApiClient(Configuration(host=SERVER, access_token=registered.access_token))
sync, visits = SyncApi(phone), VisitsApi(phone)


def pull(cursor: str | None) -> list[Page]:
    pages: list[Page] = []
    while not pages or not pages[-1].complete:
        pages.append(sync.pull(PullBody(protocol=1, cursor=cursor, limit=5)))
        cursor = pages[-1].cursor or cursor
    return pages


def changes_of(pages: list[Page]) -> list[Change]:
    return [change for page in pages for change in page.changes or []]


def create(collection: str, record: UUID, fields: dict[str, object]) -> Mutation:
    made = {"id": uuid4(), "collection": collection, "record": record, "op": "create", "base": 0}
    return Mutation.model_validate({**made, "made_at": datetime.now(UTC), "fields": fields})


before = pull(None)
building = next(change for change in changes_of(before) if (change.fields or {}).get("level") == "building")
household, visit = uuid4(), uuid4()
edits = [
    create("households", household, {"area_id": str(building.record), "door": "101"}),
    create("visits", visit, {"household_id": str(household), "outcome": "opened", "note": "一切安好。"}),
]
pushed = sync.push(PushBody(protocol=1, home=building.home, mutations=edits))
down = changes_of(pull(before[-1].cursor))
read = visits.visits_read(visit)
try:
    visits.visits_patch(visit, VisitPatch(note="…"), if_match='"7"')
    code = None
except ApiException as error:
    code = json.loads(error.body or "{}").get("code")
outcomes = [outcome.outcome for outcome in pushed.outcomes]
pulled = any(change.record == visit for change in down)
print(json.dumps({"outcomes": outcomes, "pulled": pulled, "note": read.note, "code": code}, ensure_ascii=False))
