"""A real browser, headless, spoken to over a pipe in its own protocol (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
DEADLINE = 60.0  # seconds for anything: software rendering on a busy machine is slow
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


class RefusedError(AssertionError):
    """The browser answers with an error."""


class Browser:
    """A running Chromium. Use as a context manager."""

    def __init__(self, profile: Path) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        assert program, "the tests need Chromium: scripts/test installs it"
        # Chromium reads commands from descriptor 3 and answers at 4.
        theirs_in, self._out = map(_high, os.pipe())
        self._in, theirs_out = map(_high, os.pipe())
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        wired = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash"]
        self._process = subprocess.Popen(
            [*wired, program, *FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what else arrives is kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RefusedError(method, answer["error"].get("message"))
                return answer["result"]
            self.events.append(answer)

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has gone"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, width: int = 512, height: int = 512) -> Tab:
        """A new tab that has loaded a file, with its animations stilled."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        tab.call("Emulation.setEmulatedMedia", features=still)
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        tab.call("Page.navigate", url=path.resolve().as_uri())
        return tab


def _high(descriptor: int) -> int:
    """The same file at a number that does not get in the way of 3 and 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


@dataclass
class Tab:
    """One page. Its events lie in the browser's list."""

    browser: Browser
    session: str
    target: str

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Until an expression is true."""
        deadline = time.monotonic() + DEADLINE
        while not (value := self._run_unless_leaving(condition)):
            assert time.monotonic() < deadline, (condition, self.complaints())
            time.sleep(0.05)
        return value

    def _run_unless_leaving(self, script: str) -> Any:
        """None where the page is just being left for another, or is loaded anew."""
        try:
            return self.run(script)
        except RefusedError as refusal:
            if not any(word in str(refusal) for word in ("navigated", "context")):
                raise
            return None

    def picture(self, clip: dict[str, float] | None = None) -> np.ndarray:
        """(H, W, 3) uint8 of the page, or of a part of it."""
        more = {} if clip is None else {"clip": {**clip, "scale": 1}}
        data = self.call("Page.captureScreenshot", format="png", **more)["data"]
        return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))

    def events(self, method: str) -> list[dict[str, Any]]:
        """Parameters of this tab's events of one kind."""
        self.run("0")  # brings in what has arrived
        return [
            event["params"]
            for event in self.browser.events
            if event.get("method") == method and event.get("sessionId") == self.session
        ]

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and refused requests."""
        logged = [e["entry"] for e in self.events("Log.entryAdded")]
        return [
            *[e["text"] for e in logged if e["level"] in ("error", "warning")],
            *[
                str(e["args"])
                for e in self.events("Runtime.consoleAPICalled")
                if e["type"] in ("error", "assert")
            ],
            *[str(e["exceptionDetails"]) for e in self.events("Runtime.exceptionThrown")],
        ]

    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        return [e["request"]["url"] for e in self.events("Network.requestWillBeSent")]

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)
