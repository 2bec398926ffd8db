"""The tables of the guide, made from what they are about. `python -m tests.guide` writes them anew."""

import re
from pathlib import Path

from app.bodies import MOST_DEPTH
from app.bounds import MOST_BODY_BYTES_AT, MOST_BODY_SECONDS, MOST_FILE_BYTES_AT, MOST_HEAD_BYTES
from app.contract import REFUSALS, codes_of
from app.identity.guesses import Guesses
from app.identity.sign_ins import IDLE_LIFE, LONGEST_LIFE
from app.identity.tokens import ACCESS_SECONDS
from app.imports.exporting import MOST_DOORS
from app.imports.importing import MOST_AREAS, MOST_INFLATED_BYTES
from app.imports.routes import MOST_ROWS_A_REQUEST, MOST_SECONDS
from app.problems import CATALOGUE
from app.settings import Settings
from sync import wire
from sync.canonical import LARGEST_INTEGER
from tests.contract import document

GUIDE = Path(__file__).parent.parent / "openapi" / "README.md"


def codes() -> str:
    """Every problem that a caller can meet, and whether in an answer, in an outcome, or in both."""
    lines = ["| HTTP | code | 中文 | English | 在 · in |", "|---|---|---|---|---|"]
    answered = {code for said in document()["components"]["responses"].values() for code in said["x-codes"]}
    answered |= {"no_route", "method_not_allowed", "bad_http"}
    inside = set(codes_of(REFUSALS))
    for code, entry in CATALOGUE.items():
        places = [
            word for word, where in (("答复 · answer", answered), ("单条结果 · outcome", inside)) if code in where
        ]
        if places:
            lines.append(f"| {entry.status} | `{code}` | {entry.zh} | {entry.en} | {'<br>'.join(places)} |")
    return "\n".join(lines)


def limits() -> str:
    """What is bounded, in the numbers that the server uses."""
    guesses = Guesses()
    near, day = guesses.from_one_address, guesses.of_one_day
    rows = [
        ("一次上传的修改 · mutations of a push", f"{wire.MOST_MUTATIONS}"),
        ("请求内容，解压后 · a JSON body, inflated", f"{wire.MOST_PUSH_BYTES // 1024} KB"),
        ("登录的请求内容 · the body of a sign-in", f"{MOST_BODY_BYTES_AT['/v1/auth/token'] // 1024} KB"),
        ("地址加请求头 · address and headers", f"{MOST_HEAD_BYTES // 1024} KB"),
        ("请求内容到达 · until a body has come", f"{MOST_BODY_SECONDS} 秒 · seconds"),
        ("嵌套层数 · depth of nesting", f"{MOST_DEPTH}"),
        ("一页的变化 · changes on a page", f"{wire.DEFAULT_PAGE}（最多 · at most {wire.MOST_PAGE}, 1 MB）"),
        ("一部手机的信息流 · feeds of a phone", f"{wire.MOST_FEEDS}"),
        ("等待变化 · `wait` of a pull", f"{wire.MOST_WAIT_SECONDS} 秒 · seconds"),
        (
            "每部手机每分钟的请求 · requests of a phone a minute",
            f"{Settings.model_fields['requests_per_minute'].default}",
        ),
        ("密码错误 · wrong passwords", f"{near.most} / {near.seconds // 60} 分钟 · minutes, {day.most} / 天 · day"),
        ("整数 · an integer", f"±{LARGEST_INTEGER}"),
        ("访问令牌 · an access token", f"{ACCESS_SECONDS // 60} 分钟 · minutes"),
        (
            "刷新令牌 · a refresh token",
            f"{IDLE_LIFE.days} 天不用，最长 {LONGEST_LIFE.days} 天 · days idle, days in all",
        ),
        ("导入的文件 · a file that is imported", f"{MOST_FILE_BYTES_AT['/v1/imports'] >> 20} MB"),
        ("解压后的工作簿 · a workbook, unpacked", f"{MOST_INFLATED_BYTES >> 20} MB"),
        (
            "一次请求导入的行 · rows imported by a request",
            f"{MOST_ROWS_A_REQUEST}，或 · or {MOST_SECONDS} 秒 · seconds",
        ),
        ("一个文件中的区域 · areas of a file", f"{MOST_AREAS}"),
        ("导出的户 · doors exported", f"{MOST_DOORS}"),
        ("可重发的记录 · the log a phone keeps", "30 天 · days"),
    ]
    return "\n".join(
        ["| 什么 · what | 多少 · how much |", "|---|---|", *(f"| {what} | {much} |" for what, much in rows)]
    )


def with_tables(guide: str) -> str:
    """The guide with its tables as they should be."""
    for name, table in (("codes", codes()), ("limits", limits())):
        marks = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = guide.partition(marks[0])
        _, _, after = rest.partition(marks[1])
        guide = f"{before}{marks[0]}{table}\n{marks[1]}{after}"
    return guide


def command_after(marker: str) -> str:
    """The fenced command after a marker in the guide."""
    found = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert found, f"the guide has no command after <!-- {marker} -->"
    return found[1]


if __name__ == "__main__":
    GUIDE.write_text(with_tables(GUIDE.read_text("utf-8")), "utf-8")
