"""Every error this API can answer, in one catalogue. Nobody spells a status code elsewhere.

A problem travels as RFC 9457 `application/problem+json`: clients switch on `code`, people read
`title` (in the language they ask for, else Chinese · English), `errors[]` points into the request with
JSON pointers. It never repeats what the caller sent.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import JsonValue
from starlette.responses import Response

from app.languages import Language
from sync.wire import MOST_ERRORS, Outcome, ProblemBody


class Entry(NamedTuple):
    """One line of the catalogue."""

    status: int
    zh: str
    en: str


CATALOGUE: Final[dict[str, Entry]] = {
    # the request as a whole
    "bad_http": Entry(400, "HTTP 请求格式不正确", "This is no HTTP request"),
    "bad_json": Entry(400, "请求内容不是有效的 JSON", "The body is not valid JSON"),
    "bad_request": Entry(400, "请求参数不正确", "The request is malformed"),
    "too_deep": Entry(400, "嵌套层数过多", "The body is nested too deeply"),
    "bad_gzip": Entry(400, "压缩内容无法解开", "The gzip body can't be inflated"),
    "cursor_unreadable": Entry(400, "游标不完整，请从头拉取", "The cursor is cut; pull from the beginning"),
    "cursor_forged": Entry(400, "游标不是本服务器签发的", "This cursor was not made by this server"),
    "cursor_foreign": Entry(400, "游标属于另一台服务器", "This cursor belongs to another server"),
    "not_signed_in": Entry(401, "请先登录", "Sign in first"),
    "wrong_credentials": Entry(401, "账号或密码不正确", "Login or password is wrong"),
    "token_expired": Entry(401, "登录已过期，请刷新令牌", "The access token has expired; refresh it"),
    "token_foreign": Entry(401, "令牌不是本服务器签发的", "This token was not issued by this server"),
    "refresh_reused": Entry(401, "刷新令牌已被使用，请重新登录", "This refresh token was used before; sign in again"),
    "replica_revoked": Entry(401, "本机已被停用，请清除数据", "This phone has been revoked; wipe its copy"),
    "person_disabled": Entry(401, "账号已停用", "This account is disabled"),
    "replica_needed": Entry(403, "请先登记本机", "Register this phone first (POST /v1/replicas)"),
    "not_permitted": Entry(403, "没有权限", "You may not do this here"),
    "not_found": Entry(404, "找不到该记录", "There is no such record here"),
    "no_route": Entry(404, "没有这个地址", "There is nothing at this address"),
    "method_not_allowed": Entry(405, "不支持该方法", "This method is not allowed here"),
    "body_too_slow": Entry(408, "网络过慢，请分批发送", "The body came too slowly; send smaller batches"),
    "server_older": Entry(409, "服务器版本较旧，请稍后再试", "This server is older than the app; nothing was taken"),
    "server_restored": Entry(409, "服务器曾从备份恢复，请重发本机记录", "The server was restored; send the log again"),
    "too_many_feeds": Entry(409, "范围过大，请缩小到网格", "Too many feeds to sync; narrow the grants"),
    "handover_to_itself": Entry(409, "已在那里", "It is there already"),
    "handover_cycle": Entry(422, "不能移交到自身之内", "An area can't be handed over into itself"),
    "handover_across": Entry(422, "只能在同一社区内移交", "Only within one community; communities, within one tree"),
    "handover_too_deep": Entry(422, "只能移交楼栋及以上的区域", "Only a level that owns feeds, or one above it"),
    "merged": Entry(410, "该记录已并入另一条，见 into", "This record was merged into another one: see `into`"),
    "merge_into_itself": Entry(422, "记录不能并入自身", "A record can't be merged into itself"),
    "merge_across": Entry(422, "只能合并同一社区的记录", "Only records of one community can be merged"),
    "merge_too_large": Entry(409, "引用它的记录过多，请反向合并", "Too much refers to it; merge the other one into it"),
    "enclave_unfit": Entry(422, "须为另一社区的整栋楼房", "An enclave is whole buildings, in another community"),
    "enclave_overlaps": Entry(409, "该区域已是插花地，请先结束", "It is an enclave already, or partly; end that first"),
    "role_unfit": Entry(422, "该角色不能授予这一级区域", "This role can't be held over an area of this level"),
    "end_needed": Entry(422, "该角色须有结束时间", "This role must have an end"),
    "dates_backward": Entry(422, "结束时间早于开始时间", "It ends before it begins"),
    "grant_overlaps": Entry(409, "此人在该时段已有同一授权", "The person has this very grant at that time already"),
    "roles_kept_apart": Entry(409, "三员不得兼任", "System, security and audit are never one person's"),
    "login_taken": Entry(409, "该账号已存在", "This login is taken"),
    "stale": Entry(412, "记录已被修改，请重新读取", "The record has changed since it was read"),
    "already_there": Entry(412, "该记录已存在", "There is such a record already"),
    "body_too_large": Entry(413, "请求过大，请分批发送", "The body is too large; send smaller batches"),
    "too_many_mutations": Entry(413, "一次最多 100 条", "At most 100 mutations a push"),
    "wrong_content_type": Entry(415, "请使用 application/json", "Send application/json"),
    "head_too_large": Entry(431, "请求头或地址过长", "The address and the headers are too long"),
    "too_many_guesses": Entry(429, "密码错误次数过多，请稍后再试", "Too many wrong passwords; try again later"),
    "too_many_requests": Entry(429, "请求过于频繁，请稍后再试", "Too many requests from this phone; slow down"),
    "internal": Entry(500, "服务器内部错误，数据没有丢失", "Something broke on our side; nothing was taken"),
    "unavailable": Entry(503, "服务器繁忙，请稍后再试", "The server is busy; try again shortly"),
    "overloaded": Entry(503, "当前使用人数过多，请稍后再试", "Too many at once; nothing was taken, try again shortly"),
    "not_ready": Entry(503, "服务器尚未就绪", "The server is not ready"),
    # one mutation
    "id_invalid": Entry(422, "编号不是 UUID", "An id is not a UUID"),
    "mutation_invalid": Entry(422, "修改的格式不正确", "The mutation is malformed"),
    "unknown_collection": Entry(422, "未知的记录类型", "No such collection"),
    "unknown_field": Entry(422, "未知的字段", "No such field in this collection"),
    "invalid": Entry(422, "字段内容不符合要求", "A field's value is not allowed"),
    "server_gives": Entry(422, "该字段由服务器填写", "The server fills this field in; leave it out"),
    "check_digit": Entry(422, "号码的校验位不正确", "The number's check digit is wrong"),
    "no_legal_basis": Entry(422, "敏感标签须写明法律依据", "A sensitive tag needs a legal basis"),
    "nobody_responsible": Entry(422, "须有责任人", "Somebody must be responsible for it"),
    "no_approval": Entry(422, "须写明批准文号", "The paper that approves it must be named"),
    "questions_invalid": Entry(
        422, "问卷格式不正确", "Its questions are no JSON Schema of an object that stands by itself"
    ),
    "text_too_long": Entry(422, "文字过长", "A text is too long"),
    "nul_in_text": Entry(422, "文字中含有空字符", "A text contains U+0000"),
    "lone_surrogate": Entry(422, "文字编码不完整", "A text contains half a character"),
    "number_not_finite": Entry(422, "数字不是有限数", "A number is not finite"),
    "number_not_whole": Entry(422, "只接受整数", "Only whole numbers travel"),
    "integer_too_large": Entry(422, "整数超出范围", "An integer is beyond ±(2⁵³-1)"),
    "duplicate_key": Entry(422, "同一字段出现两次", "A key appears twice"),
    "key_not_allowed": Entry(422, "字段名不正确", "A key is not allowed"),
    "mutation_reused": Entry(409, "修改编号已用于其他内容", "This mutation id was used for other content"),
    "id_taken": Entry(409, "记录编号已被占用", "This record id is taken"),
    "wrong_home": Entry(422, "一次只能发送同一社区的修改", "A push holds mutations of one home only"),
    "reference_not_found": Entry(422, "所引用的记录不存在", "A referenced record does not exist here"),
    "area_without_feed": Entry(422, "该区域不能登记此类记录", "Nothing of this kind is recorded in this area"),
    "depends_on_refused": Entry(422, "所依赖的新建记录被拒绝", "What it depends on was refused; correct that first"),
    "already_deleted": Entry(409, "记录已被删除", "The record is already deleted"),
    "once_changed": Entry(422, "该字段登记后不可更改", "This field is set once and can't change"),
    "impossible_step": Entry(409, "该步骤已不可行", "This step is not possible any more"),
    "already_resolved": Entry(409, "该冲突已由他人处理", "Somebody resolved this conflict first"),
    "pull_only": Entry(422, "该类记录不能由手机修改", "Phones can't write this collection"),
    "not_storable": Entry(422, "该修改无法保存", "This mutation can't be stored"),
    "erased": Entry(410, "依法清除，不再保存", "By law this is erased, or may no longer be kept"),
    # a file that is imported
    "sheet_unreadable": Entry(
        422, "文件无法读取，请另存为 xlsx 或 CSV", "This is no xlsx or CSV file that can be read"
    ),
    "sheet_too_large": Entry(413, "表格过大，请分成几个文件", "The sheet is too large; cut it into several files"),
    "sheet_not_found": Entry(422, "没有这个名称的工作表", "There is no sheet of this name"),
    "columns_missing": Entry(422, "缺少必需的列，请检查表头", "A column that is needed has no heading here"),
    # one row or cell of it
    "heading_unknown": Entry(422, "无法识别的表头，该列未导入", "No field is called so; this column is left out"),
    "heading_twice": Entry(422, "重复的表头，该列未导入", "Another column says this already; this one is left out"),
    "cell_merged": Entry(422, "合并的单元格，请拆分并逐格填写", "A merged cell; split it and fill in each part"),
    "date_unreadable": Entry(422, "日期无法识别", "No date can be read here"),
    "became_date": Entry(422, "内容被表格软件变成了日期", "A spreadsheet has made a date of this"),
    "number_cut": Entry(422, "号码被存为数字，末几位已丢失", "Kept as a number, it has lost its last digits"),
    "text_garbled": Entry(422, "文字编码或引号有误", "Letters that can't be decoded, or a quote that isn't closed"),
    "formula_error": Entry(422, "公式出错", "A formula failed here"),
    "code_unknown": Entry(422, "代码表中没有这个名称", "No code is called so here"),
    "area_unknown": Entry(422, "没有这个区域", "No area is called so here"),
    "area_ambiguous": Entry(422, "有几个区域同名", "Several areas are called so"),
    "match_ambiguous": Entry(422, "有几条记录相符，请补充编号", "Several records fit; add an id"),
    "row_twice": Entry(422, "同一编号在前面已出现", "An earlier row has the same id or number"),
    "value_kept": Entry(422, "与现有内容不同，保留现有内容", "The record says otherwise and keeps it"),
}


class Problem(Exception):
    """Raise it anywhere in a request: it becomes the answer."""

    def __init__(self, code: str, *, errors: Sequence[dict[str, JsonValue]] = (), **details: JsonValue) -> None:
        super().__init__(code)
        self.code, self.errors, self.details = code, list(errors)[:MOST_ERRORS], details

    @property
    def http_status(self) -> int:
        """As the catalogue says."""
        return CATALOGUE[self.code].status

    def as_body(self, language: Language | None = None) -> ProblemBody:
        """The problem as it travels; its title in both languages unless one is asked for."""
        entry = CATALOGUE[self.code]
        title = f"{entry.zh} · {entry.en}" if language is None else str(getattr(entry, language))
        return ProblemBody(
            code=self.code,
            status=entry.status,
            title=title,
            titles={"zh": entry.zh, "en": entry.en},
            errors=self.errors,
            details=self.details,
        )

    def as_response(self, language: Language | None = None) -> Response:
        """The problem as an HTTP answer. A 401 says how to sign in; a 429 and a 503 when to come back."""
        headers = {"Cache-Control": "no-store", "Content-Language": language or "zh, en", "Vary": "Accept-Language"}
        if self.http_status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.http_status == 408:
            headers["Connection"] = "close"
        if self.http_status in (429, 503):
            headers["Retry-After"] = str(self.details.get("retry_after", 2))
        body = self.as_body(language).model_dump_json(exclude_defaults=True, exclude={"type"})
        return Response(body, self.http_status, headers, "application/problem+json")


def wrong_field(code: str, field: str) -> Problem:
    """A problem that lies in one field of the request's body."""
    return Problem(code, errors=[{"pointer": f"/{field}", "code": code}])


def require_taken(outcomes: Iterable[Outcome]) -> None:
    """For writes that are all taken or none is: raises the problem of the first that was refused."""
    for outcome in outcomes:
        if outcome.problem is not None:
            raise Problem(outcome.problem.code, errors=outcome.problem.errors)
