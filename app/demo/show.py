"""The demo's frame: an empty database is filled, a server started, the story told; then it serves or ends."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from app.commands.session import refuse, told
from app.context import Context
from app.demo.both_sides import share_land
from app.demo.care import look_after
from app.demo.community import Community, invent_community
from app.demo.figures import tell_figures
from app.demo.interleaved import A_FEW, RESIDENTS, invent_interleaved
from app.demo.lossy import LossyNetwork
from app.demo.processes import HOST, NotServing, is_free, serving
from app.demo.rounds import make_the_rounds
from app.demo.script import Untrue
from app.demo.stage import (
    GRID,
    Account,
    add_accounts,
    counts_of,
    expected_of,
    list_days_off,
    load,
    open_empty,
    part_of,
    write_accounts,
)
from app.demo.story import FRESH, PHONES, PLANTS, Story, say, tell
from app.opening import CannotOpen
from app.settings import Settings, settings
from sync import seams
from sync.client import Offline, SignInRefused
from sync.seams import Seams


@dataclass(frozen=True)
class Options:
    """What `qiaomen demo` was asked for."""

    once: bool
    accounts: Path | None
    database: str | None
    directory: Path | None
    port: int | None
    seed: int
    plant: str | None
    small: bool


def show(options: Options) -> None:
    """The whole demo; exit code 1 where it isn't true what it says, 130 where it was interrupted."""
    if options.plant not in (None, *PLANTS):
        refuse(f"--plant: {', '.join(PLANTS)}")
    try:
        told(lambda: _show(options))
    except Untrue as fault:
        refuse(f"\n✗ 不一致 · The story is not true:\n{fault}")
    except NotServing:
        refuse("服务器已停止 · The server ended by itself; server.log in the folder of --directory says why.")
    except (Offline, SignInRefused) as error:
        refuse(f"手机连不上服务器 · A phone couldn't sign in ({type(error).__name__}).")
    except asyncio.CancelledError:
        raise typer.Exit(130) from None


async def _show(options: Options) -> None:
    world = seams.real()
    _end_on_signals()
    began = world.monotonic()
    with _folder(options.directory) as directory:
        _require_free(options, directory)
        chosen = _settings(options, directory, world)
        people = await _fill(options, chosen, world)
        environment = {"QIAOMEN_DATABASE_URL": chosen.database_url, "QIAOMEN_LOG_LEVEL": "WARNING"}
        if chosen.key:
            environment["QIAOMEN_KEY"] = chosen.key
        async with serving(options.port, environment, directory / "server.log", world) as (server, port):
            url = f"http://{HOST}:{port}"
            if options.accounts:
                write_accounts(options.accounts, url, people)
            async with LossyNetwork(port) as network:
                by_login = {one.login: one for one in people}
                story = Story(directory, url, network, by_login, world, options.plant)
                await tell_figures(story, small=options.small)
                await tell(story)
                await share_land(story, A_FEW if options.small else RESIDENTS)
                await look_after(story)
                await make_the_rounds(story, small=options.small)
            say(f"\n■ 完成 · Done in {world.monotonic() - began:.1f} s. {directory}")
            _say_people(people)
            if not options.once:
                say(f"\n{url}/docs  Authorize → 账号 login, 密码 password.  Ctrl-C 结束 ends")
                await _until_interrupted(server)


async def _fill(options: Options, chosen: Settings, world: Seams) -> list[Account]:
    today = world.now().date()
    community = invent_community(options.seed, today)
    if options.small:
        community = part_of(community, GRID)
    context = await open_empty(chosen, world)
    try:
        say(f"■ 青和居（虚构）· An invented community, seed {options.seed}: 写入中 loading…")
        began = world.monotonic()
        await load(context, community)
        seconds = world.monotonic() - began
        await _count(context, f"用时 loaded in {seconds:.1f} s", community)
        most = A_FEW if options.small else RESIDENTS
        other = invent_interleaved(options.seed, today, community.root_id, most=most)
        say("■ 欧景苑（虚构）· Another, which three districts have on paper")
        await load(context, other)
        await _count(context, "合计 in all", community, other)
        for one in (community, other):
            await list_days_off(context, one, today.year)
        return await add_accounts(context)
    finally:
        await context.database.close()


async def _count(context: Context, how: str, *communities: Community) -> None:
    counts = await counts_of(context)
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say(f"  数据库计数 counted in the database: {words}; {how}")
    if counts != expected_of(*communities):
        raise Untrue("the database holds other counts than were loaded")


def _settings(options: Options, directory: Path, world: Seams) -> Settings:
    """Nothing of the user's shell but the database they named; a key of the demo's own where none lies beside it."""
    url = options.database or f"sqlite:///{directory / 'qiaomen.db'}"
    embedded = url.startswith("sqlite")
    key = None if embedded else settings().key or world.random_bytes(32).hex()
    return Settings(database_url=url, key=key)


def _require_free(options: Options, directory: Path) -> None:
    """What would be found out late is said early. Raises CannotOpen."""
    if any((directory / f"{name}.db").exists() for name in (*PHONES, FRESH)):
        raise CannotOpen("There are phones in this folder already. The demo wants a folder of its own.")
    if options.port and not is_free(options.port):
        raise CannotOpen(f"Port {options.port} is taken.")
    if options.accounts and not options.accounts.absolute().parent.is_dir():
        raise CannotOpen("The folder of the accounts file does not exist.")


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with TemporaryDirectory(prefix="qiaomen-demo-") as temporary:
            yield Path(temporary)
    else:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield directory.absolute()


def _say_people(people: list[Account]) -> None:
    say("  账号 accounts (只显示这一次 shown only now):")
    for one in people:
        say(f"    {one.login:10} {one.password}   {one.role} · {one.area}")


def _end_on_signals() -> None:
    """Both ways of ending go through the same doors: the server is ended, the folder removed."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no such handlers; Ctrl-C works there too
            loop.add_signal_handler(number, task.cancel)


async def _until_interrupted(server: asyncio.subprocess.Process) -> None:
    try:
        await server.wait()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task:
            task.uncancel()
        return
    raise NotServing
