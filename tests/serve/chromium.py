"""A real Chromium without a window, driven over its DevTools pipe.

The protocol is JSON, one message to a NUL: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyte

from healconsole.engine.waiting import readable

PATIENCE_S = 60.0
_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-pings",
    "--disable-extensions", "--disable-breakpad", "--disable-domain-reliability",
    "--metrics-recording-only", "--disable-features=OptimizationHints,MediaRouter,Translate",
)  # fmt: skip


def find_chromium() -> str | None:
    """The browser of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class Chromium(AbstractContextManager["Chromium"]):
    """One browser with a profile of its own, to be used as a context."""

    def __init__(self, profile: Path, *options: str) -> None:
        program = find_chromium()
        assert program
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # The browser has its pipe on 3 and 4; numbers from 10 on are not in the way of these.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        self.process = subprocess.Popen(
            [
                *("bash", "-c", 'exec "${@:3}" 3<&"$1" 4>&"$2"', "_", *map(str, ends), program),
                *(*_QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}", *options),
            ],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (theirs_in, theirs_out, *ends):
            os.close(fd)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []
        """Everything that the browser told by itself, in order."""

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol; its result."""
        self._number += 1
        asked: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for message in self._messages(deadline - time.monotonic()):
                if message.get("id") == self._number:
                    assert "error" not in message, (method, message["error"])
                    result: dict[str, Any] = message["result"]
                    return result
            assert time.monotonic() < deadline, f"no answer to {method}"

    def listen(self, seconds: float) -> None:
        """Take in what the browser tells within ``seconds``, or until it tells something."""
        self._messages(seconds)

    def page(self) -> Page:
        """Open an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session)

    def _messages(self, seconds: float) -> Sequence[dict[str, Any]]:
        if not readable(self._in, seconds):
            return ()
        self._buffer += os.read(self._in, 1 << 20)
        *whole, self._buffer = self._buffer.split(b"\0")
        messages = [json.loads(text) for text in whole]
        self.events += [message for message in messages if "method" in message]
        return messages


class Page:
    """One page of a browser."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol on this page."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to ``url``."""
        self.call("Page.navigate", url=url)

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever the script answers
        """The value of a JavaScript expression, awaited if it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.ask(expression):
            assert time.monotonic() < deadline, f"never: {expression}"
            self._browser.listen(0.1)

    def told(self, method: str) -> list[dict[str, Any]]:
        """What the browser told of this page under one name."""
        return [
            event["params"]
            for event in self._browser.events
            if event["method"] == method and event.get("sessionId") == self._session
        ]

    def terminal(self) -> str:
        """What the page's terminal was told to show, replayed."""
        sizes = [
            json.loads(sent["response"]["payloadData"])
            for sent in self.told("Network.webSocketFrameSent")
            if '"resize"' in sent["response"]["payloadData"]
        ]
        if not sizes:
            return ""
        screen = pyte.Screen(sizes[-1][1]["width"], sizes[-1][1]["height"])
        stream = pyte.ByteStream(screen)
        for received in self.told("Network.webSocketFrameReceived"):
            if received["response"]["opcode"] == 2:
                stream.feed(base64.b64decode(received["response"]["payloadData"]))
        return "\n".join(line.rstrip() for line in screen.display)

    def wait_for_text(self, wanted: str) -> str:
        """Wait until the terminal shows ``wanted``; what it shows."""
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in (text := self.terminal()):
            assert time.monotonic() < deadline, f"never: {wanted}\n{text}"
            self._browser.listen(0.25)
        return text

    def picture(self) -> bytes:
        """The page as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def press(self, text: str) -> None:
        """Press a key that types ``text``, as a person does."""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=text, **typed)
