"""`python -m tests.fuzz` looks for new bytes, `python -m tests.fuzz api` for new conversations.

python -m tests.fuzz                              a million inputs for every target
python -m tests.fuzz --target reading --seed 7    other inputs for one
python -m tests.fuzz --target reading --replay …  one input again, as a failure names it
"""

import argparse
import base64
import sys
from importlib import import_module

from tests.fuzz.running import TARGETS, run


def main(arguments: list[str]) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--target", choices=TARGETS, help="one of them; without it, all")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1, help="the same seed tries the same inputs")
    parser.add_argument("--replay", help="an input in base64")
    asked = parser.parse_args(arguments)
    if asked.replay is not None:
        import_module(f"tests.fuzz.{asked.target}").attempt(base64.b64decode(asked.replay))
        return 0
    return max(tried(target, asked.runs, asked.seed) for target in ([asked.target] if asked.target else TARGETS))


def tried(target: str, runs: int, seed: int) -> int:
    """One target, told in one line; 1 if it failed."""
    done = run(target, runs, seed)
    print(f"{target:10} {done.runs:>9} runs {done.runs / done.seconds:>7.0f}/s  {'FAILED' if done.found else 'ok'}")
    print(done.found, end="", flush=True)
    return 1 if done.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
