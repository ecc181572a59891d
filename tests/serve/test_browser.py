"""The wall in a real browser: seen, live, deaf to keys, closed to other pages, at home alone."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.serve.chromium import Chromium, find_chromium
from tests.serve.conftest import make_site, trip
from tests.serve.served import Served, gone, wait_until

pytest.importorskip("aiohttp", reason="needs the extra 'serve'")
pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")

TOKEN = "a-token-of-our-own-choice"
FOREIGN_PAGE = """<!DOCTYPE html><title>elsewhere</title><script>
const tried = new Promise((done) => {
  const socket = new WebSocket("ws://127.0.0.1:PORT/ws");
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
});
const read = fetch("http://127.0.0.1:PORT/", { credentials: "include" })
  .then((answer) => answer.text(), () => "refused");
</script><iframe src="http://127.0.0.1:PORT/"></iframe>
"""
OUTSIDE = """new Promise((done) => {
  const blocked = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    blocked.push(event.effectiveDirective);
    if (blocked.length == 2) done(blocked.sort().join());
  });
  fetch("http://elsewhere.example/").catch(() => {});
  document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:1/x.png" }));
})"""
"""What the policy of the page forbids when it is tried."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[Served]:
    with Served(site) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser that resolves no name but one, which was rebound to this machine."""
    rules = "MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    profile = tmp_path_factory.mktemp("profile")
    with Chromium(profile, f"--host-resolver-rules={rules}", "--window-size=1280,720") as chromium:
        yield chromium


def state_of(site: Path) -> dict[str, bytes]:
    """Every file of the state root and the log."""
    files = (path for path in site.rglob("*") if path.is_file() and path.name != "serve.err")
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.timeout(180)
def test_the_wall_is_up_live_and_deaf(site: Path, served: Served, browser: Chromium) -> None:
    page = browser.page()
    page.open(served.link)
    page.wait_for_text("healer-0001")
    page.wait_for("document.body.classList.contains('-first-byte')")
    assert page.ask("location.href") == f"{served.origin}/"
    assert page.ask("document.cookie") == "", "no script can read it"
    assert page.ask("document.fonts.check('16px \"Roboto Mono\"')")

    before = page.picture()
    assert "healer-0002" not in page.terminal()
    trip(site, "healer-0002")
    page.wait_for_text("healer-0002")
    wait_until(lambda: page.picture() != before, "the picture changes")

    consoles, files = served.consoles(), state_of(site)
    page.ask("document.querySelector('.xterm-helper-textarea').focus()")
    for key in ("q", "t", "r", "x", "d", "?", "\r"):
        page.press(key)
    page.call("Input.insertText", text="q" * 40)
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=80, y=90, button="left", clickCount=1)
    sent = [e["response"]["payloadData"] for e in page.told("Network.webSocketFrameSent")]
    assert '["stdin","q"]' in sent, "the browser did send it"
    trip(site, "healer-0000")
    page.wait_for_text("healer-0000")
    assert served.consoles() == consoles
    files |= {path: text for path, text in state_of(site).items() if "healer-0000/cb" in path}
    assert state_of(site) == files

    asked = [urlsplit(told["request"]["url"]) for told in page.told("Network.requestWillBeSent")]
    assert {url.hostname for url in asked if url.scheme != "data"} == {"127.0.0.1"}
    assert {urlsplit(told["url"]).hostname for told in page.told("Network.webSocketCreated")} == {
        "127.0.0.1"
    }
    assert not page.told("Network.loadingFailed")
    assert not page.told("Runtime.exceptionThrown")
    assert not [e for e in page.told("Log.entryAdded") if e["entry"]["level"] == "error"]
    # Nothing goes out even when asked to: no window, no request, no picture.
    assert page.ask("window.open('http://elsewhere.example/')") is None
    assert page.ask(OUTSIDE) == "connect-src,img-src"
    page.open("about:blank")
    wait_until(lambda: all(map(gone, consoles)), "its console ends with the page")


@pytest.fixture
def elsewhere(served: Served) -> Iterator[str]:
    """A page of another server on the same address, which so gets the cookie, too."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FOREIGN_PAGE.replace("PORT", str(served.port)).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - their name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.timeout(180)
def test_another_page_is_refused(served: Served, browser: Chromium, elsewhere: str) -> None:
    page = browser.page()
    page.open(served.link)
    page.wait_for_text("healer-0001")
    other = browser.page()
    other.open(elsewhere)
    other.wait_for("typeof tried === 'object'")
    assert other.ask("tried") == "refused"
    assert other.ask("read") == "refused"
    assert "this request comes from another page" in served.log()
    frames = other.call("Page.getFrameTree")["frameTree"]["childFrames"]
    assert frames[0]["frame"]["url"].startswith("chrome-error:"), "it is framed by nobody"
    other.open(f"http://evil.example:{served.port}/?token={served.token}")
    other.wait_for("document.body && document.body.innerText.includes('answers to')")
    assert other.ask("document.querySelector('#terminal')") is None
    page.open("about:blank")


@pytest.mark.timeout(180)
def test_the_page_comes_back_when_the_server_does(site: Path, browser: Chromium) -> None:
    with Served(site, environment={"HEALCONSOLE_SERVE_TOKEN": TOKEN}) as first:
        page = browser.page()
        page.open(f"{first.origin}/?token={TOKEN}")
        page.wait_for_text("healer-0001")
        assert first.end() == 0
    page.wait_for("document.body.classList.contains('-closed')")
    assert "what you see is old" in page.ask("document.getElementById('notice').innerText")
    options = ("--port", str(first.port))
    with Served(site, *options, environment={"HEALCONSOLE_SERVE_TOKEN": TOKEN}) as second:
        assert second.port == first.port
        page.wait_for("document.body && !document.body.classList.contains('-closed')")
        page.wait_for("document.body.classList.contains('-first-byte')")
        assert second.consoles()
