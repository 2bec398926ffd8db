"""What the morning of the examples has to do with other offices: an estate that is shared, rosters in and out."""

import json
from typing import Any

ROSTER = """单元,房号,户主姓名,性别,出生日期
1单元,501,陈小红,女,1990-05-06
1单元,502,李建国,男,1955年3月32日
"""


async def share(morning: Any) -> None:
    """An estate that is served from one district and lies on paper in the other."""
    served = {"area_id": str(morning.areas["420106002021-xx"]), "reason": "插花地共管协议 2026-1"}
    served["administrative_id"] = str(morning.areas["420107005008"])
    summary = "武昌服务、青山管辖 · Served from one district, on paper in the other"
    enclave = await morning.say("post_enclave", summary, served, who="city", status=201)
    await morning.say("list_enclaves", "所辖的插花地 · Of one's areas", who="secretary")
    await morning.say("delete_enclave", "立即结束 · It ends now", who="secretary", status=204, enclave_id=enclave["id"])


async def exchange(morning: Any) -> None:
    """Another office's list comes in, tried first; and ours goes out under its headings."""
    asked = {"area_id": str(morning.areas["420107005008001-1"])}
    form = {**asked, "mapping": json.dumps({"户主姓名": "resident.name"}, ensure_ascii=False)}
    said: dict[str, Any] = {"who": "secretary", "file": ROSTER}
    await morning.say("post_import", "先试算 · First only tried", form=form, **said)
    await morning.say("post_import", "执行 · Then done", form={**form, "dry_run": False}, **said)
    columns = {"楼栋": "place.building", "单元": "place.unit", "房号": "household.door", "户主姓名": "resident.name"}
    body = {**asked, "form": "csv", "mapping": columns}
    await morning.say("post_export", "按对方的表头 · Under the other office's headings", body, who="secretary")
