"""Invented records, one of each collection, as the examples of the contract show them; and how each is changed."""

from typing import Any

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
    "areas": {"parent_id": "<building>", "level": "unit", "name": "2单元", "code": "420107005008001-1-2"},
    "codes": {"area_id": "<community>", "list": "tag", "code": "key_care", "name": "重点关爱", "name_en": "Key care"},
}
CHANGES: dict[str, dict[str, Any]] = {
    "households": {"tags": ["long_term_let", "volunteer"], "best_time": None},
    "residents": {"phone": "13900000000"},
    "visits": {"note": "降压药快用完了，已答应代购。女儿周末回来。"},
    "duplicates": {"state": "dismissed", "note": "同名的两位邻居。"},
    "cases": {"state": "settled", "agreement": "601室换水管，晚十点后不拖椅子。"},
    "areas": {"name": "2单元（东）"},
    "codes": {"name_en": "Needs particular care"},
}
