"""`python -m tests.fuzz` looks for new bytes, `python -m tests.fuzz api` for new conversations.

python -m tests.fuzz                              a million inputs for every target
python -m tests.fuzz --target reading --seed 7    other inputs for one
python -m tests.fuzz --target reading --replay …  one input again, as a failure names it
python -m tests.fuzz api --store postgres         every operation of the document, with five seeds
"""

import argparse
import asyncio
import base64
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from app.opening import open_database
from app.schema import migrate
from app.settings import Settings
from sync import seams
from tests.conftest import KEY
from tests.fuzz.api import Fuzzed, fuzz_api
from tests.fuzz.running import TARGETS, run
from tests.postgres import running_server
from tests.world import NEW_ID


def main(arguments: list[str]) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    kinds = parser.add_subparsers(required=True)
    of_bytes = kinds.add_parser("bytes", help="coverage-guided, by atheris")
    of_bytes.set_defaults(work=try_bytes)
    of_bytes.add_argument("--target", choices=TARGETS, help="one of them; without it, all")
    of_bytes.add_argument("--runs", type=int, default=1_000_000, help="inputs for each target")
    of_bytes.add_argument("--seed", type=int, default=1, help="the same seed tries the same inputs")
    of_bytes.add_argument("--replay", help="an input in base64")
    of_api = kinds.add_parser("api", help="from the document, by schemathesis")
    of_api.set_defaults(work=try_api)
    of_api.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    of_api.add_argument("--seeds", type=int, default=5, help="that many, from --seed on")
    of_api.add_argument("--seed", type=int, default=1)
    of_api.add_argument("--examples", type=int, default=30, help="for each operation, and as many conversations")
    asked = parser.parse_args(arguments if "api" in arguments else ["bytes", *arguments])
    return int(asked.work(asked))


def try_bytes(asked: argparse.Namespace) -> bool:
    """True if anything was found."""
    if asked.replay is not None:
        import_module(f"tests.fuzz.{asked.target}").attempt(base64.b64decode(asked.replay))
        return False
    found = False
    for target in [asked.target] if asked.target else TARGETS:
        done = run(target, asked.runs, asked.seed)
        print(f"{target:10} {done.runs:>9} inputs {done.runs / done.seconds:>7.0f}/s  {done.found or 'ok'}", flush=True)
        found |= bool(done.found)
    return found


def try_api(asked: argparse.Namespace) -> bool:
    """True if anything was found; each seed on a store of its own."""
    found = False
    for seed in range(asked.seed, asked.seed + asked.seeds):
        with new_store(asked.store) as url:
            began = time.perf_counter()
            fuzzed = fuzz_api(url, seed=seed, examples=asked.examples)
        print(f"{asked.store} seed {seed}: {told(fuzzed)} in {time.perf_counter() - began:.0f} s", flush=True)
        found |= bool(fuzzed.failures)
    return found


def told(fuzzed: Fuzzed) -> str:
    """In one line, and every failure with its example below."""
    phases = ", ".join(f"{count} {phase}" for phase, count in fuzzed.cases.items() if count)
    return "".join(
        [
            f"{fuzzed.cases.total()} requests ({phases}), {len(fuzzed.failures)} failures, {fuzzed.faults} × 5xx",
            *(f"\n* {place}\n{example}\n" for place, example in sorted(fuzzed.failures.items())),
        ]
    )


@contextmanager
def new_store(store: str) -> Iterator[str]:
    """The URL of an empty store at head."""
    if store == "sqlite":
        with tempfile.TemporaryDirectory(prefix="qiaomen-fuzz-") as folder:
            yield f"sqlite:///{folder}/fuzz.db"
        return
    with running_server() as server:
        name = f"fuzz_{NEW_ID().hex}"
        server.create_database(name)
        asyncio.run(_migrate(server.url(name)))
        yield server.url(name)


async def _migrate(url: str) -> None:
    database = open_database(Settings(database_url=url, key=KEY), seams.real())
    await migrate(database)
    await database.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
