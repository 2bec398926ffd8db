"""/v1/people: the accounts. A system administrator makes and disables them; what they may do, grants say."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.access import hold_grants, paths_under
from app.context import Context, ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.database import Transaction
from app.identity.caller import CallerDep
from app.identity.passwords import LONGEST, SHORTEST, hash_password
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.people import LONGEST_LOGIN, add_person, disable_person, is_login, people_seen
from app.problems import Problem
from app.roles import APART

router = APIRouter(tags=["people"])

SYSTEM = frozenset({"system"})
PersonId = Annotated[UUID, Path(description="人员编号 · The person's id")]


def _login(text: str) -> str:
    if not is_login(text):
        raise ValueError("login")
    return text


class NewPerson(BaseModel):
    """An account. It can do nothing until a security administrator gives it a role."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    login: Annotated[str, AfterValidator(_login)] = Field(
        min_length=1, max_length=LONGEST_LOGIN, description="账号 · What they sign in with: no blanks at the ends"
    )
    password: str = Field(
        min_length=SHORTEST,
        max_length=LONGEST,
        description="初始密码 · Their first password",
        json_schema_extra={"format": "password"},
    )


class PersonView(BaseModel):
    """One account. Nobody's password is ever shown."""

    id: UUID = Field(description="人员编号 · The person's id")
    login: str = Field(max_length=LONGEST_LOGIN, description="账号 · The login")
    created_at: datetime = Field(description="建立时间 · When it was made")
    disabled_at: datetime | None = Field(description="停用时间 · When it was disabled; null while it is good")


class PersonList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    people: list[PersonView] = Field(max_length=MOST_ON_A_PAGE, description="人员 · The accounts")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


@router.get(
    "/v1/people",
    summary="账号列表 · Accounts",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request", "not_permitted"),
    dependencies=[Depends(each_once)],
)
async def list_people(
    request: Request,
    response: Response,
    caller: CallerDep,
    context: ContextDep,
    asked: Annotated[NewestFirst, Query()],
) -> PersonList:
    """全部账号，含已停用的；仅系统、安全、审计管理员可见。

    Every account, the disabled ones too; for system, security and audit administrators.
    """
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        await _require(snapshot, context, caller.person_id, APART)
        found = await people_seen(snapshot, asked.before, asked.limit + 1)
    rows, following = on_this_page(found, request, response, asked)
    return PersonList(people=[PersonView.model_validate(row, from_attributes=True) for row in rows], next=following)


@router.post(
    "/v1/people",
    status_code=201,
    summary="新建账号 · Make an account",
    responses=succeeds(201) | answers(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "login_taken"),
)
async def post_person(body: NewPerson, caller: CallerDep, context: ContextDep) -> PersonView:
    """由系统管理员建立。账号本身没有任何权限。

    Made by a system administrator. The account by itself may do nothing.
    """
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        await _require(snapshot, context, caller.person_id, SYSTEM)
    # Outside any transaction: 20 ms of hashing must hold no lock and no connection.
    password = await hash_password(body.password, context.seams.random_bytes(16))

    async def make(transaction: Transaction) -> PersonView:
        await hold_grants(transaction, caller.person_id)
        await _require(transaction, context, caller.person_id, SYSTEM)
        id = await add_person(transaction, context.seams, body.login, password)
        return PersonView(id=id, login=body.login, created_at=context.seams.now(), disabled_at=None)

    return await context.database.run(make)


@router.delete(
    "/v1/people/{person_id}",
    status_code=204,
    response_class=Response,
    summary="停用账号 · Disable an account",
    responses=succeeds(204) | answers(SIGNED_IN, STORED, "bad_request", "not_permitted", "not_found"),
)
async def delete_person(person_id: PersonId, caller: CallerDep, context: ContextDep) -> None:
    """立即停用，不能停用自己。其所写的记录保留；手机的下一个请求得到 `person_disabled`。

    Disables it at once, though never one's own. What they wrote stays; their phones are answered `person_disabled`.
    """
    if person_id == caller.person_id:
        raise Problem("not_permitted")

    async def disable(transaction: Transaction) -> None:
        await hold_grants(transaction, caller.person_id)
        await _require(transaction, context, caller.person_id, SYSTEM)
        if not await disable_person(transaction, context.seams, person_id):
            raise Problem("not_found")

    await context.database.run(disable)


async def _require(store: Transaction, context: Context, person: UUID, roles: frozenset[str]) -> None:
    if not await paths_under(store, person, roles, context.seams.now):
        raise Problem("not_permitted")
