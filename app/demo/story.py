"""`qiaomen demo`: a day of three phones on one page, against a real server, checked to the last byte."""

from asyncio.subprocess import Process
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import typer

from app.demo import compare, script
from app.demo.lossy import Fate, LossyNetwork
from app.demo.processes import end, start
from app.demo.script import Script, Untrue
from app.demo.stage import Account
from app.phone import contested
from app.phone.held import Held, Terminal, holding
from app.phone.labels import Labels
from app.phone.syncing import Exchanged, exchange, outcome_lines, sign_in
from sync.entries import Entry
from sync.seams import Seams

PHONES = ("wang", "li", "zhao")
FRESH, FRESH_LOGIN = "fresh", "wang"
PLANTS = ("corrupt", "lose")
"""What may be planted to see the story fail: a changed copy on one phone, a note lost before it was sent."""
BEFALLS: tuple[Fate, ...] = ("lose", "lose", "twice")
"""What happens to the first tries of a push."""
say = typer.echo


@dataclass
class Story:
    """The phones of one grid. Only their files outlive an act: each act opens them anew."""

    directory: Path
    server: str
    network: LossyNetwork
    people: dict[str, Account]
    world: Seams
    plant: str | None = None
    _script: Script | None = field(default=None, init=False)

    @property
    def script(self) -> Script:
        """Which records it is about; known after the first sync."""
        assert self._script is not None
        return self._script

    def terminal(self, name: str, server: str | None = None) -> Terminal:
        """A phone by its name, with the way to the server or with another."""
        return Terminal(self.directory / f"{name}.db", server or self.server, json=False)

    def phone(self, name: str, server: str | None = None) -> AbstractContextManager[Held]:
        """The same, opened."""
        return holding(self.terminal(name, server), makes_file=True)


async def tell(story: Story) -> None:
    """Every act in turn. Raises Untrue."""
    say("\n■ 首次同步 · First sync: three phones of one grid")
    for name in PHONES:
        say(f"  {await first_sync(story, name, name)}")
    say("\n■ 全部离线 · All offline")
    _write_offline(story)
    say("\n■ 坏网络 · Back through a network that loses answers and repeats requests")
    for name in ("wang", "li"):
        await _sync_through_the_bad_network(story, name)
    say("\n■ 上传中被杀 · Zhao's phone is killed (SIGKILL) after the server has its push, before the answer")
    await _kill_and_start_again(story)
    say("\n■ 离线处理冲突 · The conflicts are settled offline, the refused one corrected, then all sync")
    await _settle(story)
    say("\n■ 逐字节比对 · Byte for byte: three phones and a fresh fourth one")
    await _compare(story)


async def first_sync(story: Story, name: str, login: str) -> str:
    """A new phone of somebody fetches all that is theirs; what that was, and how long it took."""
    with story.phone(name) as held:
        await sign_in(held, login, story.people[login].password, f"{name}'s phone")
        done = require_done(await exchange(held))
        content = compare.content_of(held.store)
        if story._script is None:
            story._script = script.choose(held)
        counts = ", ".join(f"{count:,} {collection}" for collection, count in sorted(content.records.items()))
        return f"{name:5} {content.records.total():,} 条 records in {done.seconds:.2f} s: {counts}"


def _write_offline(story: Story) -> None:
    for name in PHONES:
        with story.phone(name) as held:
            script.write(held, story.script, name)
            if name == "li" and story.plant == "lose":
                compare.lose(held.store)
            say(f"  {name:5} 未上传 unsent: {held.replica.status().unsent}")
    with story.phone("wang") as held:
        labels = Labels(held)
        contested_door, merged_door = (
            labels.of(key, key.collection, str(key.record)) for key in (story.script.contested, story.script.merged)
        )
    say(f"  {contested_door}: wang 出租 rented ↔ li 空置 vacant")
    say(f"  {merged_door}: 各加标签、各写一句 · each adds a tag and writes a sentence")
    say("  wang 删除一位居民，li 改其电话 · wang deletes a resident whose number li corrects")


async def _sync_through_the_bad_network(story: Story, name: str) -> None:
    network = story.network
    network.fates.extend(BEFALLS)
    before = Counter(network.befell)
    with story.phone(name, network.url) as held:
        done = require_done(await exchange(held))
        befell = network.befell - before
        say(
            f"  {name:5} 丢失应答 answers lost: {befell['lose']}, 重复送达 delivered twice: {befell['twice']}"
            f" → {_tally(done.answered)}"
        )
        _say_outcomes(held, done.answered)


async def _kill_and_start_again(story: Story) -> None:
    network, terminal = story.network, story.terminal("zhao", story.network.url)
    command = ("phone", "--file", str(terminal.file), "--server", terminal.server, "sync")
    with story.phone("zhao") as held:
        sent = [entry.id for entry in held.entries.marked("unsent")]
    network.fates.append("hold")
    phone = await start(*command)
    try:
        if not await network.is_holding(phone):
            raise Untrue("the phone ended before it could be killed")
    finally:
        phone.kill()
        await phone.wait()
    with story.phone("zhao") as held:
        state = held.replica.status()
        if not state.in_flight:
            raise Untrue("the phone was not killed in the middle of a push")
        say(f"  被杀时 when killed: {state.in_flight} 条在途 in flight, {state.unsent} 未确认 not acknowledged")
    await _run_to_its_end(await start(*command))
    with story.phone("zhao") as held:
        answered = [entry for id in sent if (entry := held.entries.find(id)) and entry.outcome]
        if len(answered) != len(sent):
            raise Untrue("not everything was answered after the restart")
        say(f"  重新启动 started again → {_tally(answered)}")
        _say_outcomes(held, answered)


async def _run_to_its_end(phone: Process) -> None:
    try:
        await phone.communicate()
        if phone.returncode:
            raise Untrue(f"the phone that was started again ended with {phone.returncode}")
    finally:
        if phone.returncode is None:
            await end(phone)


async def _settle(story: Story) -> None:
    with story.phone("zhao") as held:
        labels = Labels(held)
        for conflict in held.replica.conflicts():
            target = labels.of(conflict.key, conflict.fields["of_collection"], conflict.fields["of_record"])
            name = str(conflict.fields["field"])
            chosen = contested.value_words(labels, name, script.choice_for(conflict))
            say(f"  {target} · {name} → {chosen}")
        script.settle(held)
        script.correct(held)
        say(f"  zhao  未上传 unsent: {held.replica.status().unsent}")
    for name in ("zhao", "wang", "li", "zhao"):
        with story.phone(name) as held:
            done = require_done(await exchange(held))
            if done.answered:
                say(f"  {name:5} → {_tally(done.answered)}")


async def _compare(story: Story) -> None:
    say(f"  {await first_sync(story, FRESH, FRESH_LOGIN)}")
    if story.plant == "corrupt":
        with story.phone("li") as held:
            compare.corrupt(held.store)
    contents = {}
    faults = []
    for name in (*PHONES, FRESH):
        with story.phone(name) as held:
            contents[name] = compare.content_of(held.store)
            faults += [f"{name}: {fault}" for fault in script.faults_in(held, story.script)]
    for name, content in contents.items():
        records = content.records
        say(
            f"  {name:5} {records.total():,} 条 records, {len(records)} 类 collections, "
            f"{len(content.copies):,} copies, {content.byte_count:,} 字节 bytes, sha256 {content.digest[:32]}…"
        )
        if places := compare.differences(contents[FRESH], content):
            faults.append(f"{name}: {len(places)} copies differ from the fresh phone's, the first at {places[0]}")
    if faults:
        raise Untrue("\n".join(faults))
    say(f"  ✓ 四部手机完全一致 · all four equal; {len(story.script.notes)} 条记录都在 notes, each there once")


def _tally(answered: list[Entry]) -> str:
    counts = Counter[str](entry.outcome.outcome for entry in answered if entry.outcome)
    words = {"applied": "已保存", "merged": "已合并", "conflicted": "有冲突", "refused": "未接受"}
    return ", ".join(f"{zh} {en} {counts[en]}" for en, zh in words.items() if counts[en])


def _say_outcomes(held: Held, answered: list[Entry]) -> None:
    labels = Labels(held)
    for entry in answered:
        if entry.outcome and entry.outcome.outcome != "applied":
            for line in outcome_lines(held, labels, entry):
                say(f"        {line}")


def require_done(done: Exchanged) -> Exchanged:
    """Raises Untrue where a sync was stopped."""
    if done.problem:
        raise Untrue(f"a sync was stopped: {done.problem.code}")
    return done
