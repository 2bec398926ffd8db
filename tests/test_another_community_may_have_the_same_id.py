"""One id in two communities names two records; a push that speaks of both places keeps them apart."""

from tests.maker import boss
from tests.raw_phone import RawPhone, second_community
from tests.world import NEW_ID, World, household, mutation

__all__ = ["boss"]  # fixtures


async def test_who_names_an_area_of_the_other_community_touches_nothing_there(world: World, boss: RawPhone) -> None:
    theirs = str(await second_community(world))
    qian = RawPhone(world, await world.phone_token("qian"))
    id = NEW_ID()
    there = mutation(world, "households", id, fields=household(world, "901", unit="unit_b"), home=theirs)
    assert [o["outcome"] for o in await qian.push(there, home=theirs)] == ["applied"]
    await boss.apply("households", id, fields=household(world, "101"))
    outcomes = await boss.push(
        mutation(world, "households", id, "update", 1, fields={"door": "102"}),
        mutation(world, "households", NEW_ID(), fields=household(world, "7", unit="unit_b")),
    )
    assert [outcome["outcome"] for outcome in outcomes] == ["applied", "refused"]
    assert outcomes[1]["problem"]["code"] == "reference_not_found"
    for phone, door in ((boss, "102"), (qian, "901")):
        await phone.pull()
        phone.check_digests()
        [held] = [change for feed in phone.feeds.values() for (_, of), change in feed.items() if of == str(id)]
        assert held["fields"]["door"] == door
