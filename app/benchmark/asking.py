"""Requests made before the clock starts, sent by the clock, looked at after it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.benchmark.figures import Timed
from app.benchmark.keepalive import Answer, KeepAlive
from app.benchmark.servers import Server
from sync.seams import Seams


async def ask(
    server: Server, world: Seams, requests: Sequence[Sequence[bytes]], records: int
) -> tuple[Timed, list[Answer]]:
    """Each list of requests in turn on a connection of its own, all connections at once; answers list by list."""
    each: list[float] = []
    answers: list[list[Answer]] = [[] for _ in requests]

    async def in_turn(line: KeepAlive, place: int) -> None:
        for request in requests[place]:
            began = world.monotonic()
            answers[place].append(await line.ask(request))
            each.append(world.monotonic() - began)

    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(KeepAlive(server.port)) for _ in requests]
        cpu, began = server.cpu_seconds(), world.monotonic()
        await asyncio.gather(*(in_turn(line, place) for place, line in enumerate(lines)))
        seconds = world.monotonic() - began
        spent = server.cpu_seconds() - cpu
    flat = [answer for own in answers for answer in own]
    return Timed(records, seconds, each, spent, sum(len(answer.body) for answer in flat)), flat
