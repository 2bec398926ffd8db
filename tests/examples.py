"""The examples of the contract: one invented morning in 青和居社区, spoken over HTTP and recorded as it was answered.

`python -m tests.examples` records it anew into app/examples.json, from which the OpenAPI document takes its
examples; a test plays it again and compares. Tokens are left out, each behind a name in angle brackets.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from app.collections import COLLECTIONS
from app.context import Context
from app.grants import add_grant
from app.identity.passwords import hash_password
from app.main import create_app
from app.operator import add_area
from app.people import add_person
from tests.contract import Answer, client_of, operation_named, path_of
from tests.offices_of_a_morning import exchange, share
from tests.phones import Time
from tests.records_of_a_morning import CAMPAIGN, CHANGES, PEOPLE, PLACES, RECORDS, REPORTS, TREE

FILE = Path(__file__).parent.parent / "app" / "examples.json"
PASSWORD = "三次敲门 knock thrice"
SECRET = {"access_token", "refresh_token", "password"}


async def inhabited(context: Context) -> dict[str, UUID]:
    """Makes the place and two people in an empty store; its areas by code."""
    areas = {}
    for code, parent, level, name in TREE:
        areas[code] = await add_area(context, code=code, name=name, level=level, parent_code=parent)
    hashed = await hash_password(PASSWORD, bytes(16))
    for login, roles in PEOPLE.items():
        async with context.database.transaction() as transaction:
            person = await add_person(transaction, context.seams, login, hashed)
            for code, role in roles:
                await add_grant(transaction, context, person_id=person, area_id=areas[code], role=role)
    return areas


class Morning:
    """Who does what, and what was recorded of it."""

    def __init__(self, context: Context, http: httpx.AsyncClient, areas: dict[str, UUID]) -> None:
        self.context, self.http, self.areas = context, http, areas
        self.tokens: dict[str, str] = {}
        self.secrets: dict[str, str] = {PASSWORD: "<password>"}
        self.recorded: dict[str, list[Answer]] = {}

    async def say(
        self,
        operation: str,
        summary: str,
        body: Any = None,
        *,
        who: str = "phone",
        status: int = 200,
        form: Answer | None = None,
        file: str | None = None,
        query: Answer | None = None,
        headers: Answer | None = None,
        **path: Any,
    ) -> Any:
        """One request as somebody, recorded with its answer, which is given back."""
        method, template = path_of(operation)
        signed = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        files = {"file": ("roster.csv", file.encode())} if file else None
        sent = {"params": query, "headers": signed | (headers or {}), "data": form, "json": body, "files": files}
        answer = await self.http.request(method, template.format(**path), **{k: v for k, v in sent.items() if v})
        assert answer.status_code == status, (operation, answer.status_code, answer.text)
        in_json = "json" in answer.headers.get("content-type", "")
        said = (answer.json() if in_json else answer.content.decode("utf-8-sig")) if answer.content else None
        for name in SECRET & (said.keys() if isinstance(said, dict) else set()):
            self.secrets[said[name]] = f"<{name}>"
        parts = {
            "path": path,
            "query": query,
            "headers": headers,
            "body": {"file": file, **form} if file and form else form or body,
        }
        asked = {name: part for name, part in parts.items() if part}
        kept = {"summary": summary, "request": asked, "status": status, "answer": said}
        self.recorded.setdefault(operation, []).append(self._without_secrets(kept))
        return said

    def _without_secrets(self, kept: Answer) -> Answer:
        text = json.dumps(kept, default=str, ensure_ascii=False)
        for secret, name in self.secrets.items():
            text = text.replace(json.dumps(secret, ensure_ascii=False), json.dumps(name))
        return dict(json.loads(text))

    def mutation(self, collection: str, record: UUID, op: str, base: int, fields: Answer, **more: Any) -> Answer:
        """An offline edit as a phone sends it."""
        made = {"id": str(self.context.seams.new_id()), "collection": collection, "record": str(record), "op": op}
        return {**made, "base": base, "fields": fields, "made_at": "2026-03-02T07:40:00Z", **more}


async def play(context: Context) -> dict[str, list[Answer]]:
    """The whole morning, over this server."""
    areas = await inhabited(context)
    async with client_of(create_app(context)) as http:
        morning = Morning(context, http, areas)
        await sign_in(morning)
        door = await sync(morning)
        named = {f"<{name}>": str(areas[code]) for name, code in PLACES.items()}
        named |= {"<household>": str(door)} | await organisations(morning)
        for name in RECORDS:
            await keep(morning, name, named)
        await campaign(morning, named)
        for name, (summary, asked) in REPORTS.items():
            where = "body" if path_of(name)[0] == "post" else "query"
            await morning.say(name, summary, who="secretary", **{where: _filled(asked, named)})
        await exchange(morning)
        await settle(morning, door)
        await welcome(morning)
        await go_on(morning)
        return morning.recorded


def _filled(said: Answer, named: dict[str, str]) -> Answer:
    """With the ids of what it names."""
    return {name: named.get(str(value), value) for name, value in said.items()}


async def sign_in(morning: Morning) -> None:
    """By password, then as a registered phone."""
    for who in PEOPLE:
        form = {"grant_type": "password", "username": who, "password": PASSWORD}
        said = await morning.say("post_token", "用密码登录 · By password", form=form, who="nobody")
        morning.tokens[who] = said["access_token"]
        morning.recorded["post_token"] = morning.recorded["post_token"][-1:]
    phone = {"name": "小李的手机", "platform": "wechat", "app_version": "1.4.0"}
    said = await morning.say("post_replica", "登记小程序 · A mini-program", phone, who="li", status=201)
    morning.tokens["phone"], morning.tokens["refresh"] = said["access_token"], said["refresh_token"]
    await morning.say("get_replicas", "本人的手机 · One's phones", who="li")


async def sync(morning: Morning) -> UUID:
    """A first pull, a push with a new door and a knock on it, and what comes down then. The household's id."""
    first = await morning.say("pull", "从头开始 · From the beginning", {"protocol": 1, "limit": 4})
    more = {"protocol": 1, "cursor": first["cursor"], "limit": 500}
    page = await morning.say("pull", "下一页 · The next page", more)
    door, knock = morning.context.seams.new_id(), morning.context.seams.new_id()
    unit = str(morning.areas["420107005008001-1-1"])
    edits = [
        morning.mutation("households", door, "create", 0, {"area_id": unit, "door": "101", "tags": ["living_alone"]}),
        morning.mutation("visits", knock, "create", 0, {"household_id": str(door), "outcome": "nobody_home"}),
    ]
    home, sent_at = str(morning.areas["420107005008"]), "2026-03-02T08:00:00Z"
    push = {"protocol": 1, "epoch": page["epoch"], "home": home, "sent_at": sent_at, "mutations": edits}
    push["outbox"] = {"depth": 2, "oldest_at": "2026-03-02T07:40:00Z"}
    await morning.say("push", "新建一户和一次敲门 · A door, and a knock on it", push)
    await morning.say("push", "答复丢失，原样再发 · The answer was lost: the very same again", push)
    wrong = morning.mutation("visits", morning.context.seams.new_id(), "create", 0, {"household_id": str(door)})
    refused = {"protocol": 1, "home": home, "received": 2, "mutations": [wrong]}
    await morning.say("push", "缺少结果，被拒绝 · Refused: no outcome said", refused)
    note = {"note": "女儿说周末回来。"}
    edit = morning.mutation("visits", knock, "update", 1, note)
    both = {"protocol": 1, "cursor": page["cursor"], "push": {"home": home, "received": 3, "mutations": [edit]}}
    synced = await morning.say("synchronise", "上传备注并下载 · A note up, changes down", both)
    cursor = synced["page"]["cursor"]
    await morning.say("synchronise", "没有变化 · Nothing is new", {"protocol": 1, "cursor": cursor})
    await morning.say("pull_by_query", "没有变化 · Nothing is new", query={"protocol": 1, "cursor": cursor})
    await morning.say("list_mutations", "被拒绝的 · What was refused", query={"outcome": "refused"})
    return door


async def organisations(morning: Morning) -> dict[str, str]:
    """Two that affiliations are of: they have examples of their own."""
    made, area = {}, str(morning.areas[PLACES["community"]])
    for known_as, name in (("<organisation>", "综合行政执法队"), ("<department>", "城市管理执法局")):
        fields = {"area_id": area, "name": name}
        made[known_as] = (await morning.say("organisations_create", "", fields, who="secretary", status=201))["id"]
    del morning.recorded["organisations_create"]
    return made


async def campaign(morning: Morning, named: dict[str, str]) -> None:
    """One that is asked about, with its targets."""
    fields = _filled(RECORDS["campaigns"], named)
    await morning.say("campaigns_create", "", {"id": CAMPAIGN, **fields}, who="secretary", status=201)
    morning.recorded["campaigns_create"].pop()
    part = {"area_id": named["<grid>"]}
    await morning.say("freeze_campaign", "一个网格 · One grid of it", part, who="secretary", id=CAMPAIGN)


async def keep(morning: Morning, name: str, named: dict[str, str]) -> None:
    """One record of a collection, from its making to its end."""
    fields, change = (_filled(said[name], named) for said in (RECORDS, CHANGES))
    once = {"Idempotency-Key": str(morning.context.seams.new_id())}
    made = await morning.say(f"{name}_create", "新建 · Create", fields, who="secretary", status=201, headers=once)
    await morning.say(f"{name}_list_all", "第一页 · The first page", who="secretary", query={"limit": 1})
    await morning.say(f"{name}_read", "读取 · Read", who="secretary", id=made["id"])
    said = {"id": made["id"], "who": "secretary", "headers": {"If-Match": '"1"'}}
    await morning.say(f"{name}_patch", "修改 · Change", change, **said)
    said["headers"] = {"If-Match": '"2"'}
    await morning.say(f"{name}_put", "替换 · Replace", fields, **said)
    said["headers"] = {"If-Match": '"3"', "X-HTTP-Method-Override": "PATCH"}
    await morning.say(f"{name}_override", "修改，用 POST · Change, by POST", change, **said)
    await morning.say(f"{name}_history", "历史 · History", who="secretary", id=made["id"])
    new: Answer = {"who": "secretary", "status": 201, "headers": {"If-None-Match": "*"}}
    await morning.say(f"{name}_put", "没有则新建 · There was none", fields, **new, id=morning.context.seams.new_id())
    new["headers"] = {"If-None-Match": "*", "X-HTTP-Method-Override": "PUT"}
    summary = "没有则新建，用 POST · There was none, by POST"
    await morning.say(f"{name}_override", summary, fields, **new, id=morning.context.seams.new_id())
    if COLLECTIONS[name].same:
        await merge(morning, name, fields)
    await morning.say(f"{name}_delete", "删除 · Delete", who="secretary", status=204, id=made["id"])


async def merge(morning: Morning, name: str, fields: Answer) -> None:
    """Registered twice."""
    loser, stays = morning.context.seams.new_id(), morning.context.seams.new_id()
    for id in (loser, stays):
        await morning.say(f"{name}_put", "", fields, who="secretary", status=201, id=id)
        morning.recorded[f"{name}_put"].pop()
    into = {"into": str(stays)}
    await morning.say(f"{name}_merge", "并入另一条 · Into the other", into, who="secretary", id=loser)


async def settle(morning: Morning, door: UUID) -> None:
    """Two people changed one door; a person decides."""
    signed = {"Authorization": f"Bearer {morning.tokens['secretary']}"}
    await morning.http.patch(f"/v1/households/{door}", json={"door": "101室"}, headers=signed)
    home = str(morning.areas["420107005008"])
    late = morning.mutation("households", door, "update", 1, {"door": "101A"})
    push = {"protocol": 1, "home": home, "received": 4, "mutations": [late]}
    summary = "两人改了同一处 · Two people changed one field"
    [outcome] = (await morning.say("push", summary, push))["outcomes"]
    [conflict] = outcome["conflicts"]
    await morning.say("conflicts_list_all", "待处理的 · What waits", who="secretary", query={"limit": 1})
    await morning.say("conflicts_read", "一处冲突 · One conflict", who="secretary", id=conflict)
    chosen = {"id": conflict, "who": "secretary", "headers": {"If-Match": '"1"'}}
    await morning.say("conflicts_resolve", "选定一个值 · A value is chosen", {"value": "101A"}, **chosen)
    await morning.say("conflicts_history", "历史 · History", who="secretary", id=conflict)


async def welcome(morning: Morning) -> None:
    """A new colleague: an account, a role in one grid, and the end of it."""
    account = {"login": "wang", "password": PASSWORD}
    made = await morning.say(
        "post_person", "新同事的账号 · A new colleague's account", account, who="system", status=201
    )
    await morning.say("list_people", "最新的账号 · The newest accounts", who="system", query={"limit": 2})
    grid = str(morning.areas["420107005008001"])
    asked = {"person_id": made["id"], "area_id": grid, "role": "worker", "reason": "网格轮岗 2026-3"}
    given = await morning.say("post_grant", "网格员 · A grid worker", asked, who="security", status=201)
    await morning.say("list_grants", "此人的授权 · This person's", who="secretary", query={"person_id": made["id"]})
    other = {"parent_id": str(morning.areas["420107005008"]), "level": "grid", "name": "第二网格"}
    to = (await morning.say("areas_create", "第二网格 · A second grid", other, who="secretary", status=201))["id"]
    morning.recorded["areas_create"].pop()
    building = {"id": morning.areas["420107005008001-1"], "who": "secretary"}
    await morning.say("hand_area_over", "先试算 · First only tried", {"to": to}, **building)
    await morning.say("hand_area_over", "执行 · Then done", {"to": to, "dry_run": False}, **building)
    await morning.say("list_phones", "交接之后 · After the handover", **building)
    await share(morning)
    there = {"area_id": grid, "to": to}
    summary = "换到第二网格，先试算 · To the second grid, first only tried"
    await morning.say("hand_over_person", summary, there, who="security", person_id=made["id"])
    await morning.say("delete_grant", "立即结束 · It ends now", who="security", status=204, grant_id=given["id"])
    await morning.say("delete_person", "停用账号 · The account too", who="system", status=204, person_id=made["id"])


async def go_on(morning: Morning) -> None:
    """Fresh tokens, an old phone revoked, and whoever watches."""
    form = {"grant_type": "refresh_token", "refresh_token": morning.tokens["refresh"]}
    await morning.say("post_token", "用刷新令牌续期 · Go on", form=form, who="nobody")
    phones = (await morning.say("get_replicas", "本人的手机 · One's phones", who="li"))["replicas"]
    morning.recorded["get_replicas"].pop(0)
    await morning.say("delete_replica", "停用 · Revoke", who="li", status=204, replica_id=phones[0]["id"])
    await morning.say("get_livez", "存活 · Alive", who="nobody")
    await morning.say("get_readyz", "就绪 · Ready", who="nobody")


async def record(folder: Path) -> str:
    """What the file should hold: the same every time, since time, ids and chance are given."""
    # Imported here: the fixtures of the tests are needed by nobody who only plays.
    from tests.conftest import inline_context  # noqa: PLC0415

    context = await inline_context(folder, Time().seams("examples"))
    try:
        return json.dumps(await play(context), ensure_ascii=False, indent=1) + "\n"
    finally:
        await context.database.close()


def documented() -> set[str]:
    """The operations of which something is recorded."""
    return {name for name in json.loads(FILE.read_text()) if operation_named(name)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FILE.write_text(asyncio.run(record(Path(folder))))
