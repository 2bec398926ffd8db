"""A real browser that reaches this machine alone, driven through the pipes over which Chromium speaks its protocol."""

import asyncio
import base64
import itertools
import json
import os
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

Answer = dict[str, Any]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("QIAOMEN_REQUIRE_CHROMIUM") == "1"
ALONE = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
PIPES = 'exec 3<&{0} 4>&{1}; exec "$@"'
"""Chromium reads its commands from 3 and answers on 4, wherever the pipes were."""
LONGEST_MESSAGE = 64 << 20
PATIENCE_SECONDS, END_SECONDS, A_MOMENT_SECONDS = 60, 10, 0.05
TOLD = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}


class Browser:
    """One tab, what it asked for, and what its console said."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.numbers = itertools.count(1)
        self.session: str | None = None
        self.waiting: dict[int, asyncio.Future[Answer]] = {}
        self.requested: list[str] = []
        self.said: list[str] = []

    async def do(self, method: str, **parameters: Any) -> Answer:
        """One command; its result."""
        number, session = next(self.numbers), {"sessionId": self.session} if self.session else {}
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters, **session}
        self.writer.write(json.dumps(command).encode() + b"\0")
        told = await asyncio.wait_for(answer, PATIENCE_SECONDS)
        assert "error" not in told, (method, told["error"])
        return dict(told["result"])

    async def open(self, url: str) -> None:
        """The page, with all that it loads."""
        await self.do("Page.navigate", url=url)
        await self.until(f"document.readyState === 'complete' && location.href !== 'about:blank' && {json.dumps(url)}")

    async def run(self, script: str) -> Any:
        """What an expression of JavaScript amounts to, awaited."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        told = await self.do("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in told, (script[:200], told["exceptionDetails"])
        return told["result"].get("value")

    async def until(self, script: str) -> Any:
        """Waits until it amounts to something, and gives that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (value := await self.run(script)):
                await asyncio.sleep(A_MOMENT_SECONDS)
        return value

    async def type(self, selector: str, text: str) -> None:
        """Into a field, key by key as it were."""
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.run(f"document.querySelector({json.dumps(selector)}).select?.()")
        await self.do("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        """One key, where the focus is."""
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if key == "Enter" else {}
            await self.do("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    async def look(self, file: Path, width: int = 1000, height: int = 1200) -> None:
        """A picture of the page."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.do("Emulation.setDeviceMetricsOverride", **size)
        file.write_bytes(base64.b64decode((await self.do("Page.captureScreenshot"))["data"]))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Until the browser ends."""
        with suppress(asyncio.IncompleteReadError):
            while True:
                told = json.loads((await reader.readuntil(b"\0"))[:-1])
                if "id" in told:
                    self.waiting.pop(told["id"]).set_result(told)
                elif told["method"] == "Network.requestWillBeSent":
                    self.requested.append(told["params"]["request"]["url"])
                elif told["method"] in TOLD:
                    self.said.append(json.dumps(told["params"], ensure_ascii=False))


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Browser]:
    """A browser of its own with one empty tab, until the block ends."""
    assert CHROMIUM, "install chromium"
    (its_in, our_out), (our_in, its_out) = os.pipe(), os.pipe()
    command = (CHROMIUM, *ALONE, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", PIPES.format(its_in, its_out), "bash", *command),
        pass_fds=(its_in, its_out),
        **{"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL},
    )
    os.close(its_in)
    os.close(its_out)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(LONGEST_MESSAGE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_in, "rb"))
    flow, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(our_out, "wb"))
    browser = Browser(asyncio.StreamWriter(flow, protocol, None, loop))
    reading = asyncio.create_task(browser._read(reader))
    try:
        [tab] = [one for one in (await browser.do("Target.getTargets"))["targetInfos"] if one["type"] == "page"]
        asked = {"targetId": tab["targetId"], "flatten": True}
        browser.session = (await browser.do("Target.attachToTarget", **asked))["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await browser.do(f"{domain}.enable")
        yield browser
    finally:
        browser.session = None
        with suppress(Exception):
            await browser.do("Browser.close")
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_SECONDS)
        if process.returncode is None:
            process.kill()
        reading.cancel()
        browser.writer.close()
