"""`qiaomen calendar`: the days of a year that are worked otherwise than its weeks say, as codes of an area."""

from collections import Counter
from datetime import date

import chinese_calendar  # type: ignore[import-untyped]
import sqlalchemy as sa

from app.areas import Area, find_area
from app.collections import COLLECTIONS
from app.commands.session import refuse, with_context
from app.context import Context
from app.database import Transaction
from app.operator import create_in
from sync.wire import Fields

LISTS = ("rest_day", "work_day")
_AREA, _CODE = (COLLECTIONS[name].table for name in ("areas", "codes"))


def add(year: int, area_code: str) -> list[str]:
    """One line a list: how many codes of it were created, and how many were there and left as they are."""
    try:
        days = days_of(year)
    except NotImplementedError:
        refuse(
            f"The statutory days off of {year} are not known to the installed chinesecalendar: "
            "nothing was written, and without them Monday to Friday are worked."
        )

    async def work(context: Context) -> list[str]:
        async with context.database.snapshot("server") as snapshot:
            area = await find_area(snapshot, area_code)
        if area is None:
            refuse(f"There is no area with code {area_code}. See: qiaomen area list")
        return await list_days(context, area, days)

    return with_context(work)


def days_of(year: int) -> list[Fields]:
    """`{list, code, name, name_en}` of the days that the State Council 国务院 gave off from Monday to Friday, and of
    those at a weekend that are worked instead; named after the holiday that they are for.

    Raises NotImplementedError for a year of which chinesecalendar knows nothing.
    """
    days: list[Fields] = []
    for day in chinese_calendar.get_dates(date(year, 1, 1), date(year, 12, 31)):
        worked = chinese_calendar.is_workday(day)
        if worked != (day.weekday() < 5):
            _, name = chinese_calendar.get_holiday_detail(day)
            holiday = {"name": chinese_calendar.Holiday(name).chinese, "name_en": name}
            days.append({"list": LISTS[worked], "code": f"{day:%Y_%m_%d}", **holiday})
    return days


async def list_days(context: Context, area: Area, days: list[Fields]) -> list[str]:
    """Makes codes of an area of those that it has no code of yet; what `add` says of it."""

    async def work(transaction: Transaction) -> list[Fields]:
        # Held, so that of two who add the same year at once the second finds what the first has added.
        this = sa.select(_AREA.c.id).where(_AREA.c.home == area.home, _AREA.c.id == area.id)
        await transaction.rows(this.with_for_update())
        # Retired and deleted ones too: somebody has said that the day is none here.
        listed = sa.select(_CODE.c.list, _CODE.c.code).where(_CODE.c.home == area.home, _CODE.c.area_id == area.id)
        there = {(row.list, row.code) for row in await transaction.rows(listed.where(_CODE.c.list.in_(LISTS)))}
        new = [day for day in days if (day["list"], day["code"]) not in there]
        await create_in(transaction, context, area, "codes", new)
        return new

    new = await context.database.run(work)
    all_of, new_of = (Counter(day["list"] for day in some) for some in (days, new))
    return [f"{name}\tcreated {new_of[name]}\tunchanged {all_of[name] - new_of[name]}" for name in LISTS]
