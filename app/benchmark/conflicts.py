"""Edits that collide beside edits that don't."""

from typing import cast

from app.benchmark.figures import Figure, beside
from app.benchmark.ground import Phone, sign_in_phones
from app.benchmark.preload import PUSH as BATCH
from app.benchmark.pushing import push_bodies
from app.benchmark.session import Session
from app.operator import Item, create_all
from sync.wire import Mutation, PushBody

EDITED_REV = 2


async def conflicts(session: Session) -> list[Figure]:
    """One phone edits households, a hundred at a time, and each edit opens a conflict.

    The limit is the same edits of as many other households, whose phone had seen the newest rev. Every
    household was edited once before by somebody else, so the two differ in nothing but what the phone had seen.
    """
    mine, others = [(await sign_in_phones(session.ground, 1, first=1))[0] for _ in range(2)]
    ours, limit = [], []
    for _ in range(session.scale.rounds + 1):
        clean, contested = [await _edited_doors(session, others) for _ in range(2)]
        limit.append(await push_bodies(session, [mine], [_edits(session, clean, "B", EDITED_REV)], "applied"))
        ours.append(await push_bodies(session, [mine], [_edits(session, contested, "B", 1)], "conflicted"))
    return [beside("conflicts", ours[1:], limit[1:], unit="records/s", at_least=0.7)]


async def _edited_doors(session: Session, phone: Phone) -> list[str]:
    """New households that this phone has edited once: half a round of pushes."""
    area = str(phone.building.id)
    doors = [str(session.world.new_id()) for _ in range(max(1, session.scale.batches // 2) * BATCH)]
    items = [
        {
            "collection": "households",
            "record": door,
            "home": str(session.ground.home),
            "fields": {"area_id": area, "door": f"{number}", "external_id": f"WG-{number}"},
        }
        for number, door in enumerate(doors)
    ]
    await create_all(session.ground.context, cast(list[Item], items))
    await push_bodies(session, [phone], [_edits(session, doors, "A", 1)], "applied")
    return doors


def _edits(session: Session, doors: list[str], word: str, base: int) -> list[PushBody]:
    """A hundred a push. `external_id` has no merge policy of its own: it is asked about."""
    world = session.world
    mutations = [
        Mutation.model_validate(
            {
                **{"id": world.new_id(), "collection": "households", "record": door, "op": "update", "base": base},
                **{"fields": {"external_id": f"{word}-{number}"}, "made_at": world.now()},
            }
        )
        for number, door in enumerate(doors)
    ]
    return [
        PushBody(protocol=1, home=session.ground.home, sent_at=world.now(), mutations=mutations[at : at + BATCH])
        for at in range(0, len(mutations), BATCH)
    ]
