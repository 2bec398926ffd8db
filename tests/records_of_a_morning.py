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
PLACES = {
    "community": "420107005008",
    "grid": "420107005008001",
    "building": "420107005008001-1",
    "unit": "420107005008001-1-1",
    "team": "420107005008-tj",
}
"""What the records name."""
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
    "get_activity": ("一天的动态 · Of a day", {"area_id": "<community>", "since": "2026-03-02", "until": "2026-03-02"}),
    "post_roster": (
        "按拼音首字母找周桂兰 · By the first letters z, g, l",
        {"area_id": "<grid>", "text": "zgl", "limit": 10},
    ),
    "get_board": ("一栋楼 · Of a building", {"area_id": "<building>"}),
}
"""Operation → what is asked of it, and how that is called."""
