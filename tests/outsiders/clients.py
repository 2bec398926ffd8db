"""Clients that outsiders' generators make of openapi.json: each compiles, and syncs with a real server.

Everything is made in a temporary folder, with tools from locks beside this file; nothing of it is kept.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.demo.processes import serving
from sync import seams
from tests.outsiders import node
from tests.outsiders.place import PASSWORD, prepared

DOCUMENT = node.HERE.parents[1] / "openapi" / "openapi.json"
TOOLS = node.HERE / "clients"
SAID = {"outcomes": ["applied", "applied"], "pulled": True, "note": "一切安好。", "code": "stale"}
"""What every client must say in the end."""

TSC = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node"]
MYPY = ["--strict", "--follow-imports=silent", "--implicit-reexport"]
Command = list[str | Path]


def openapi_fetch(folder: Path, tools: Path) -> Command:
    """openapi-typescript for the types, openapi-fetch for the requests."""
    types = ["--default-non-nullable=false", "-o", "schema.ts"]
    node.run([_npm() / "openapi-typescript", DOCUMENT, *types], folder)
    return _compiled(folder, "openapi_fetch.ts")


def typescript_fetch(folder: Path, tools: Path) -> Command:
    """openapi-generator, typescript-fetch."""
    options = "--additional-properties=importFileExtension=.js"
    _generate(folder, tools, "typescript-fetch", "client", options)
    return _compiled(folder, "typescript_fetch.ts")


def generated_python(folder: Path, tools: Path) -> Command:
    """openapi-generator, python."""
    _generate(folder, tools, "python", ".", "--additional-properties=packageName=generated")
    return _checked(folder, tools, "generated_python.py")


def openapi_python_client(folder: Path, tools: Path) -> Command:
    """openapi-python-client."""
    made = ["generate", "--path", DOCUMENT, "--output-path", "client", "--meta", "none", "--overwrite"]
    node.run([tools / "openapi-python-client", *made], folder)
    return _checked(folder, tools, "openapi_python_client.py")


CLIENTS: tuple[Callable[[Path, Path], Command], ...] = (
    openapi_fetch,
    typescript_fetch,
    generated_python,
    openapi_python_client,
)


def main() -> int:
    """0 when every client compiles and says what it must."""
    node.require("node", "npm", "java")
    with tempfile.TemporaryDirectory() as temporary:
        return asyncio.run(_try_all(Path(temporary)))


async def _try_all(folder: Path) -> int:
    tools = _python_tools(folder)
    failed = [client.__name__ for client in CLIENTS if not await _try(client, folder / client.__name__, tools)]
    print(f"{len(CLIENTS) - len(failed)} passed, {len(failed)} failed")
    return len(failed)


async def _try(client: Callable[[Path, Path], Command], folder: Path, tools: Path) -> bool:
    folder.mkdir()
    command = client(folder, tools)
    settings = await prepared(folder / "server.db")
    async with serving(None, settings, folder / "server.log", seams.real()) as (_, port):
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=os.environ | {"SERVER": f"http://127.0.0.1:{port}", "PASSWORD": PASSWORD, "PYTHONPATH": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    print(client.__name__, said.decode().strip(), flush=True)
    return process.returncode == 0 and json.loads(said) == SAID


def _python_tools(folder: Path) -> Path:
    """A virtual environment of its own with what the lock says."""
    node.run([Path(sys.executable), "-m", "venv", folder / "venv"], folder)
    commands = folder / "venv" / "bin"
    node.run([commands / "pip", "install", "-q", "--require-hashes", "-r", TOOLS / "requirements.lock"], folder)
    return commands


def _npm() -> Path:
    return node.installed(TOOLS)


def _generate(folder: Path, tools: Path, kind: str, output: str, options: str) -> None:
    made: Command = ["generate", "-i", DOCUMENT, "-g", kind, "-o", output, options]
    node.run([tools / "openapi-generator-cli", *made], folder)


def _compiled(folder: Path, script: str) -> Command:
    """TypeScript, strictly; where its imports are found."""
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / script).write_text((TOOLS / script).read_text())
    node.run([_npm() / "tsc", *TSC, "--outDir", "out", script], folder)
    return ["node", folder / "out" / Path(script).with_suffix(".js")]


def _checked(folder: Path, tools: Path, script: str) -> Command:
    """Python: all of it compiles, and what we wrote against it has the right types."""
    (folder / script).write_text((TOOLS / script).read_text())
    node.run([tools / "python", "-m", "compileall", "-q", "."], folder)
    node.run([tools / "mypy", *MYPY, script], folder)
    return [tools / "python", folder / script]
