"""Tools of Node, pinned by a lock beside this file, installed into a node_modules that git ignores."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDERS = [path.parent for path in sorted(HERE.glob("*/package.json"))]
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def installed(folder: Path) -> Path:
    """Installs what the folder's lock says, unless that is done; gives where the commands are."""
    require("node", "npm")
    done, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        run(["npm", "ci", "--loglevel=error"], folder)
    return folder / "node_modules" / ".bin"


def require(*commands: str) -> None:
    """Says which command is missing, and ends."""
    if missing := [command for command in commands if shutil.which(command) is None]:
        sys.exit(f"This needs {' and '.join(missing)}; on Debian: apt-get install nodejs npm default-jre-headless")


def run(command: list[str | Path], folder: Path, **environment: str) -> None:
    """Runs it there; its failure is ours."""
    print("$", *(Path(command[0]).name, *command[1:]), flush=True)
    subprocess.run(
        command, cwd=folder, check=True, env={**os.environ, **QUIET, **environment}, stdin=subprocess.DEVNULL
    )


def lock() -> int:
    """Makes every lock anew from its package.json, without a URL in it."""
    for folder in FOLDERS:
        (folder / "package-lock.json").unlink(missing_ok=True)
        run(["npm", "install", "--package-lock-only", "--loglevel=error"], folder)
        tidy_lock(folder / "package-lock.json")
    return 0


def tidy_lock(file: Path) -> None:
    """Whom to fund and what is out of date is not needed to install, and is full of URLs."""
    lock = json.loads(file.read_text())
    for package in lock["packages"].values():
        for word in ("funding", "deprecated"):
            package.pop(word, None)
    file.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
