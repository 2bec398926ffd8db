"""POST /v1/auth/token: signing in, and staying signed in."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field

from app.admission import stepping_aside
from app.context import Context, ContextDep
from app.contract import PARSED_BODY, STORED, answers, succeeds
from app.identity.guesses import guess_of
from app.identity.passwords import LONGEST, is_password
from app.identity.sign_ins import Tokens, begin_sign_in, refresh_sign_in
from app.people import find_person
from app.problems import Problem

router = APIRouter(tags=["sign-in"])


class TokenForm(BaseModel):
    """RFC 6749's form; `scope`, `client_id` and the like are ignored."""

    model_config = ConfigDict(hide_input_in_errors=True)

    grant_type: Literal["password", "refresh_token"] = Field(description="方式 · How: by password, or to go on")
    username: str | None = Field(None, max_length=256, description="账号 · The login")
    password: str | None = Field(
        None, max_length=LONGEST, description="密码 · The password", json_schema_extra={"format": "password"}
    )
    refresh_token: str | None = Field(None, max_length=256, description="刷新令牌 · The newest refresh token")


@router.post(
    "/v1/auth/token",
    summary="登录或刷新令牌 · Sign in, or refresh",
    responses=succeeds(200)
    | answers(
        *(PARSED_BODY, "wrong_credentials", "too_many_guesses"),
        *("not_signed_in", "token_foreign", "refresh_reused", "replica_revoked", "person_disabled"),
        STORED,
    ),
)
async def post_token(form: Annotated[TokenForm, Form()], request: Request, context: ContextDep) -> Tokens:
    """用 `username` 和 `password` 登录，或用 `refresh_token` 续期。丢失答复不会使手机掉线：旧令牌在新令牌使用前仍有效。

    Sign in with `username` and `password`, or go on with a `refresh_token`.

    Wrong passwords, unknown logins and disabled accounts are all `wrong_credentials`; after a few of them
    no password is tried for a while (`too_many_guesses`), which disturbs no phone that is signed in. A refresh token
    stays good until the one it brought has been used; an older one is `refresh_reused` and signs out.
    """
    if form.grant_type == "refresh_token":
        return await _refreshed(context, _given(form, "refresh_token"))
    login, password = _given(form, "username"), _given(form, "password")
    with guess_of(request, login):
        person_id = await _person_behind(request, context, login, password)
    return await context.database.run(lambda t: begin_sign_in(t, context, person_id=person_id))


async def _person_behind(request: Request, context: Context, login: str, password: str) -> UUID:
    async with context.database.snapshot("server") as snapshot:
        person = await find_person(snapshot, login)
    # Outside any transaction: 20 ms of hashing must hold no lock, no connection and nobody's place.
    async with stepping_aside(request.scope):
        matches = await is_password(password, person.password if person else None)
    if person is None or not matches or person.disabled_at is not None:
        raise Problem("wrong_credentials")
    return UUID(str(person.id))


async def _refreshed(context: Context, token: str) -> Tokens:
    answer = await context.database.run(lambda t: refresh_sign_in(t, context, token))
    if isinstance(answer, Problem):
        raise answer
    return answer


def _given(form: TokenForm, name: str) -> str:
    value: str | None = getattr(form, name)
    if not value:
        raise Problem("bad_request", errors=[{"pointer": f"/{name}", "code": "missing"}])
    return value
