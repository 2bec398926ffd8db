"""A push: offline edits come up. The steps behind it are in receive.py."""

from typing import Any

from app.batch import Actor, Incoming
from app.collections import COLLECTIONS
from app.context import Context
from app.identity.caller import Phone
from app.incoming import Arrived, as_model
from app.problems import Problem
from app.receive import receive
from sync.wire import PROTOCOL, PushAnswer, PushBody


async def take_push(context: Context, phone: Phone, envelope: dict[str, Any], arrived: list[Arrived]) -> PushAnswer:
    """Stores a push in one transaction, repeated as a whole where that helps."""
    require_protocol(envelope)
    body: PushBody = as_model(PushBody, {**envelope, "mutations": []})
    incoming = Incoming(
        home=body.home or _home_of(arrived),
        arrived=[_from_a_phone(mutation) for mutation in arrived],
        sent_at=body.sent_at,
        epoch=body.epoch,
        received=body.received,
        outbox=body.outbox,
    )
    actor = Actor(phone.person_id, phone.replica_id)
    done = await context.database.run(lambda transaction: receive(transaction, context, actor, incoming))
    return PushAnswer(outcomes=done.outcomes, received=done.received, epoch=done.epoch, server_time=context.seams.now())


def require_protocol(envelope: dict[str, Any]) -> None:
    """Nothing is consumed from an app that is newer than this server."""
    protocol = envelope.get("protocol", PROTOCOL)
    if isinstance(protocol, int) and protocol > PROTOCOL:
        raise Problem("server_older", protocol=PROTOCOL)


def as_json(answer: PushAnswer) -> bytes:
    """The answer's bytes, without what says nothing."""
    return answer.model_dump_json(exclude_none=True).encode()


def _home_of(arrived: list[Arrived]) -> Any:
    """A push that names no home has the one of its first mutation."""
    return next((a.mutation.home for a in arrived if a.mutation and a.mutation.home), None)


def _from_a_phone(arrived: Arrived) -> Arrived:
    """Phones don't write every collection."""
    mutation = arrived.mutation
    collection = COLLECTIONS.get(mutation.collection) if mutation else None
    if collection is None or collection.pushable:
        return arrived
    return Arrived(arrived.raw, mutation, arrived.sent_id, "pull_only")
