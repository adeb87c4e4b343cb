"""A headless Chromium that tests talk to over a pipe, by the DevTools protocol."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The browser reads commands from descriptor 3 and writes answers to descriptor 4.
START = (
    "import os, sys; r, w = (os.dup2(int(n), 100 + i) for i, n in enumerate(sys.argv[1:3]));"
    "os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}


def found() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """A browser of its own, with an empty profile; ends with the `with` block."""

    def __init__(self, profile: Path, seconds: float = 60.0):
        self.seconds = seconds
        inward, outward = os.pipe(), os.pipe()
        flags = [
            *("--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
            *("--disable-background-networking", "--disable-sync", "--no-pings"),
            # Inside containers a browser that is run by root has no sandbox.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]
        ends = (inward[0], outward[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, ends), found(), *flags, "about:blank"],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        self._to, self._from = inward[1], outward[0]
        self._rest, self._number = b"", 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            if self.process.poll() is None:
                self.send("Browser.close")
                self.process.wait(timeout=10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        finally:
            os.close(self._to)
            os.close(self._from)

    def send(self, method, session=None, **params):
        """What a command answers."""
        self._number += 1
        number = self._number
        told = {"id": number, "method": method, "params": params}
        if session:
            told["sessionId"] = session
        os.write(self._to, json.dumps(told).encode() + b"\0")
        answer = self._until(lambda message: message.get("id") == number, method)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def wait(self, method, session):
        """Wait until an event has come; one that came already counts."""
        if not any(e["method"] == method and e.get("sessionId") == session for e in self.events):
            self._until(
                lambda m: m.get("method") == method and m.get("sessionId") == session, method
            )

    def _until(self, wanted, what):
        deadline = time.monotonic() + self.seconds
        while True:
            while b"\0" in self._rest:
                text, self._rest = self._rest.split(b"\0", 1)
                message = json.loads(text)
                if "method" in message:
                    self.events.append(message)
                if wanted(message):
                    return message
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._from], [], [], left)[0]
            if not ready:
                raise TimeoutError(f"Chromium did not answer {what} in {self.seconds} s")
            more = os.read(self._from, 1 << 20)
            if not more:
                raise OSError("Chromium ended")
            self._rest += more

    def open(self, file, width=1200, height=900, dark=False, address=""):
        """A tab that shows a file."""
        return Tab(self, file, width, height, dark, address)


class Tab:
    """A page that is shown: what it says, and what went wrong."""

    def __init__(self, browser, file, width, height, dark, address):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=Path(file).as_uri() + address)
        browser.wait("Page.loadEventFired", self.session)

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def run(self, script):
        """The value of an expression, as JSON gives it."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def key(self, key, shift=False):
        told = {"key": key, "modifiers": 8 if shift else 0}
        told["windowsVirtualKeyCode"] = KEYS.get(key) or ord(key.upper())
        if len(key) == 1:
            told["text"] = key
        self.send("Input.dispatchKeyEvent", type="keyDown", **told)
        self.send("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector, across=0.5, down=0.5):
        """A click by the mouse, at a place inside the first element that fits."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        left, top, width, height = self.run(
            f"(r => [r.left, r.top, r.width, r.height])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        at = {"x": left + across * width, "y": top + down * height}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def happened(self, method):
        events = self.browser.events
        return [
            e["params"]
            for e in events
            if e["method"] == method and e.get("sessionId") == self.session
        ]

    def faults(self):
        """Errors of the script, and complaints of the browser."""
        thrown = [e["exceptionDetails"] for e in self.happened("Runtime.exceptionThrown")]
        return thrown + [e["entry"] for e in self.happened("Log.entryAdded")]

    def asked(self):
        """The addresses of everything that the page asked for."""
        return [e["request"]["url"] for e in self.happened("Network.requestWillBeSent")]

    def picture(self):
        """A screenshot as the text of a PNG in base 64."""
        return self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
