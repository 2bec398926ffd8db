"""An invented place, and records of each collection, as the examples of the contract show them and how each changes."""

from typing import Any

TREE = [
    ("420107", None, "district", "青山区"),
    ("420107005", "420107", "street", "工人村街道"),
    ("420107005008", "420107005", "community", "青和居社区"),
    ("420107005008001", "420107005008", "grid", "第一网格"),
    ("420107005008001-1", "420107005008001", "building", "1号楼"),
    ("420107005008001-1-1", "420107005008001-1", "unit", "1单元"),
    ("420107005008-tj", "420107005008", "team", "调解室"),
    ("420106", None, "district", "武昌区"),
    ("420106002021", "420106", "community", "欧景苑社区"),
    ("420106002021-xx", "420106002021", "estate", "新湘小区"),
]
PEOPLE = {
    "secretary": [("420107005008", "admin"), ("420107005008-tj", "mediator")],
    "li": [("420107005008001", "worker")],
    "city": [("420107", "admin"), ("420106", "admin")],
    "system": [("420107", "system")],
    "security": [("420107", "security")],
}
PLACES = {
    "community": "420107005008",
    "grid": "420107005008001",
    "building": "420107005008001-1",
    "unit": "420107005008001-1-1",
    "team": "420107005008-tj",
}
"""What the records name."""
CAMPAIGN = "019cad90-0000-7000-8000-000000000004"
QUESTIONS = '{"type":"object","properties":{"fever":{"type":"boolean"},"living_here":{"type":"integer","minimum":0}}}'
RECORDS: dict[str, dict[str, Any]] = {
    "households": {
        "area_id": "<unit>",
        "door": "302",
        "floor": 3,
        "tags": ["long_term_let"],
        "best_time": "晚上七点后",
    },
    "residents": {
        "household_id": "<household>",
        "name": "周桂兰",
        "sex": "female",
        "birth_date": "1949-12-31",
        "id_number": "11010519491231002X",
        "phone": "13800000000",
        "relation": "head",
        "tags": ["living_alone"],
    },
    "visits": {
        "household_id": "<household>",
        "visited_at": "2026-03-02T07:55:00Z",
        "outcome": "opened",
        "needs": ["medicine"],
        "note": "降压药快用完了，已答应代购。",
    },
    "duplicates": {
        "area_id": "<unit>",
        "of_collection": "residents",
        "record": "019cad90-0000-7000-8000-000000000001",
        "other": "019cad90-0000-7000-8000-000000000002",
        "alike": ["name"],
    },
    "cases": {
        "area_id": "<team>",
        "kind": "noise",
        "opened_on": "2026-03-02",
        "parties": "3号楼501室与601室",
        "matter": "夜间漏水、拖椅声，争了半个月。",
    },
    "care_plans": {
        "household_id": "<household>",
        "reason": "living_alone",
        "every_days": 7,
        "responsible": ["019cad90-0000-7000-8000-000000000003"],
        "since": "2026-03-02",
        "note": "耳背，多敲几下。",
    },
    "tag_grounds": {
        "household_id": "<household>",
        "tag": "ill",
        "source": "paper",
        "basis": "consent",
        "since": "2026-03-02",
        "note": "出院小结复印件存社区档案柜。",
    },
    "members": {
        "area_id": "<grid>",
        "person_id": "019cad90-0000-7000-8000-000000000003",
        "name": "小李",
        "leads": True,
        "since": "2026-03-01",
    },
    "campaigns": {
        "area_id": "<community>",
        "name": "三天拉网式大排查",
        "approval": "青防指〔2026〕7号",
        "since": "2026-03-02",
        "until": "2026-03-04",
        "keep_until": "2026-09-04",
        "questions": {"1": QUESTIONS},
    },
    "blocks": {
        "area_id": "<unit>",
        "campaign_id": CAMPAIGN,
        "households": ["019cad90-0000-7000-8000-000000000001"],
        "registered": 1,
    },
    "answers": {
        "household_id": "<household>",
        "campaign_id": CAMPAIGN,
        "version": 1,
        "said": {"fever": False, "living_here": 2},
    },
    "follow_ups": {
        "household_id": "<household>",
        "campaign_id": CAMPAIGN,
        "kind": "medicine",
        "since": "2026-03-02",
        "due": "2026-03-04",
        "note": "降压药每月一盒。",
    },
    "deliveries": {
        "household_id": "<household>",
        "delivered_at": "2026-03-02T12:30:00Z",
        "items": ["大米5公斤", "食用油"],
        "receipt": "QS-0302-014",
    },
    "preferences": {
        "area_id": "<community>",
        "name": "小陈",
        "places": ["019cad90-0000-7000-8000-000000000005"],
        "times": ["weekend"],
        "skills": ["plumbing"],
        "since": "2026-03-01",
    },
    "sponsorships": {"area_id": "<building>", "name": "小陈", "since": "2026-03-01", "note": "每周六上午来看看。"},
    "patrol_logs": {
        "area_id": "<building>",
        "person_id": "019cad90-0000-7000-8000-000000000003",
        "day": "2026-03-02",
        "note": "楼道堆物已清理。",
    },
    "organisations": {
        "area_id": "<community>",
        "name": "青和居社区综合行政执法队",
        "kind": "enforcement",
        "credit_code": "11420107MB1A2B3C47",
        "team_id": "<team>",
    },
    "affiliations": {
        "organisation_id": "<organisation>",
        "parent_id": "<department>",
        "kind": "guides",
        "since": "2026-03-01",
        "document": "青执法〔2026〕3号",
    },
    "areas": {"parent_id": "<building>", "level": "unit", "name": "2单元", "code": "420107005008001-1-2"},
    "codes": {"area_id": "<community>", "list": "tag", "code": "key_care", "name": "重点关爱", "name_en": "Key care"},
}
CHANGES: dict[str, dict[str, Any]] = {
    "households": {"tags": ["long_term_let", "volunteer"], "best_time": None},
    "residents": {"phone": "13900000000"},
    "visits": {"note": "降压药快用完了，已答应代购。女儿周末回来。"},
    "duplicates": {"state": "dismissed", "note": "同名的两位邻居。"},
    "cases": {"state": "settled", "agreement": "601室换水管，晚十点后不拖椅子。"},
    "care_plans": {"every_days": 3, "risk": 3},
    "tag_grounds": {"until": "2027-03-01"},
    "members": {"per_day": 12},
    "campaigns": {"until": "2026-03-05"},
    "blocks": {"claimed_by": "019cad90-0000-7000-8000-000000000003"},
    "answers": {"said": {"fever": False, "living_here": 3}},
    "follow_ups": {"closed": "done", "until": "2026-03-03"},
    "deliveries": {"note": "女儿代收。"},
    "preferences": {"skills": ["plumbing", "calligraphy"]},
    "sponsorships": {"until": "2027-02-28"},
    "patrol_logs": {"note": "楼道堆物已清理。三单元路灯不亮。"},
    "organisations": {"name": "青和居社区综合行政执法中队"},
    "affiliations": {"until": "2027-02-28"},
    "areas": {"name": "2单元（东）"},
    "codes": {"name_en": "Needs particular care"},
}
WEEK = {"since": "2026-03-02", "until": "2026-03-06"}
REPORTS: dict[str, tuple[str, dict[str, Any]]] = {
    "get_duties": ("星期二该敲的门 · The doors of a Tuesday", {"area_id": "<grid>", "day": "2026-03-10"}),
    "get_totals": ("一个网格的统计 · Of a grid", {"area_id": "<grid>"}),
    "get_coverage": ("一周的覆盖 · Of a week", {"area_id": "<grid>", **WEEK}),
    "post_roster": (
        "按拼音首字母找周桂兰 · By the first letters z, g, l",
        {"area_id": "<grid>", "text": "zgl", "limit": 10},
    ),
    "get_sweep": ("一次行动的进展 · Of a campaign", {"area_id": "<community>", "campaign_id": CAMPAIGN}),
    "get_patrol": ("本人当日的日志 · One's own log of a day", {"area_id": "<grid>", "day": "2026-03-02"}),
    "get_follow_ups": ("一个社区的跟进事项 · Of a community", {"area_id": "<community>"}),
    "get_board": ("一栋楼 · Of a building", {"area_id": "<building>"}),
}
"""Operation → what is asked of it, and how that is called."""
