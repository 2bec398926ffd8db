"""`python -m tests.mutants`: would a test notice, if the rules were otherwise?

Changes the modules that hold the rules one word at a time, and runs the tests that reach the change: by mutmut, which
`pip install -e ".[mutants]"` brings; what it runs stands in pyproject.toml. Every change that no test notices is in
mutants.toml, with the reason why nothing could, or is printed. A quarter of an hour on one core; `mutmut browse` works
afterwards.

python -m tests.mutants merge decide        two of the modules
python -m tests.mutants --max-children 1    on one core
"""

import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

TOP = Path(__file__).parent.parent
LEAST_KILLED_PERCENT = 90
KILLED = {"killed", "timeout", "segfault"}


def main(arguments: list[str]) -> int:
    """0 where enough of every module's mutants were killed; an argument that isn't a module goes to mutmut."""
    if find_spec("mutmut") is None:
        sys.exit('It needs mutmut: pip install -e ".[mutants]"')
    every = list(judged())
    modules = [module for module in every if module in arguments] or every
    shutil.rmtree(TOP / "mutants", ignore_errors=True)
    run = ["run", *(argument for argument in arguments if argument not in every)]
    subprocess.run(command(*run, *(f"sync.{module}.*" for module in modules)), cwd=TOP, check=True)
    became = dict(line.strip().rsplit(": ", 1) for line in said("results", "--all", "true") if ": " in line)
    verdicts = [enough(module, became) for module in modules]
    return int(not all(verdicts))


def enough(module: str, became: dict[str, str]) -> bool:
    """Prints what became of a module's mutants, and each survivor that nobody has judged yet."""
    mine = {name: status for name, status in became.items() if name.startswith(f"sync.{module}.")}
    survivors = {name: change(name) for name, status in mine.items() if status not in KILLED}
    known = [(one["was"], one["became"]) for one in judged()[module]]
    equivalent = [name for name, words in survivors.items() if words in known]
    killed, all_that_count = len(mine) - len(survivors), len(mine) - len(equivalent)
    percent = 100 * killed / all_that_count
    print(f"{module:10} {killed} of {all_that_count} killed, {percent:.1f} %; {len(equivalent)} equivalent")
    for name in (name for name in survivors if name not in equivalent):
        print(f"  {name} {mine[name]}\n    - {survivors[name][0]}\n    + {survivors[name][1]}")
    for was, is_now in (words for words in known if words not in survivors.values()):
        print(f"  judged, and no survivor any more:\n    - {was}\n    + {is_now}")
    return percent >= LEAST_KILLED_PERCENT


def judged() -> dict[str, list[dict[str, str]]]:
    """For each module, the changes that nothing could notice, and why."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())


def change(name: str) -> tuple[str, str]:
    """The line as it was and as it became."""
    lines = [line for line in said("show", name) if not line.startswith(("---", "+++"))]
    was, became = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return was, became


def said(*words: str) -> list[str]:
    return subprocess.run(command(*words), cwd=TOP, check=True, capture_output=True, text=True).stdout.splitlines()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mutmut", *words]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
