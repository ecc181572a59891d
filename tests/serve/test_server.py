"""The server as any client may speak to it, which is more than a browser would."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from healconsole.serve import wire
from tests.cli.program import finished
from tests.serve.conftest import make_site, trip
from tests.serve.served import PATIENCE_S, Served, gone, proc, wait_until

pytest.importorskip("aiohttp", reason="needs the extra 'serve'")
import aiohttp

KEYS = (
    "q", "\x03", "\x11", "t", "x", "?", "\r", "\x1b[<0;10;10M", "\x1b[200~q\x1b[201~", "u" * 5000,
)  # fmt: skip
"""Quit, Ctrl-C, Ctrl-Q, trip, run, help, enter, a click, a paste."""


@pytest.fixture
def served(site: Path) -> Iterator[Served]:
    """A server of the test's own, to be ended."""
    with Served(site, "--seats", "2") as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that leave it as it was."""
    with Served(make_site(tmp_path_factory.mktemp("shared")), "--seats", "2") as server:
        yield server


async def deserted(served: Served) -> None:
    """Wait until nobody watches."""
    await asyncio.to_thread(wait_until, lambda: not served.consoles(), "all have left")


@asynccontextmanager
async def client(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that has opened the link, and so has the cookie."""
    jar = aiohttp.CookieJar(unsafe=True)  # of an address, not of a name
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(served.link) as answer:
            assert answer.status == 200
            assert "textual-terminal" in await answer.text()
        yield session


@asynccontextmanager
async def watching(
    served: Served, session: aiohttp.ClientSession
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A socket as the page opens it."""
    address = f"{served.origin}/ws?width=100&height=30"
    async with session.ws_connect(address, origin=served.origin) as socket:
        yield socket


async def shows(socket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> None:
    """Take what the console writes until ``wanted`` is in it."""
    seen = b""
    async with asyncio.timeout(PATIENCE_S):
        while wanted not in seen:
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}, message
            seen += message.data if message.type is aiohttp.WSMsgType.BINARY else b""


@pytest.mark.asyncio
async def test_the_token_is_needed_once_and_leaves_no_trace(shared: Served) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for path in ("/", "/?token=", "/?token=wrong", "/ws", "/seat", "/static/textual.js"):
            async with session.get(shared.origin + path) as answer:
                assert answer.status == 401, path
        async with session.get(shared.link, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie
            assert shared.token not in str(answer.headers)
        name, _, value = cookie.partition(";")[0].partition("=")
        async with session.get(shared.origin, cookies={name: value}) as answer:
            assert answer.status == 200
            assert shared.token not in await answer.text()
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        async with session.get(shared.origin, cookies={name: value[:-1] + "x"}) as answer:
            assert answer.status == 401
    assert shared.token not in shared.log()
    assert shared.token.encode() not in shared.file("cmdline")


FOREIGN = (
    ("Host", "evil.example", 421),
    ("Host", "evil.example:{port}", 421),
    ("Host", "127.0.0.1", 421),
    ("Host", "127.0.0.1:{port}.evil.example", 421),
    ("Origin", "http://evil.example", 403),
    ("Origin", "http://127.0.0.1:1", 403),
    ("Origin", "https://127.0.0.1:{port}", 403),
    ("Origin", "http://localhost:{port}", 403),
    ("Origin", "null", 403),
)


@pytest.mark.asyncio
async def test_who_has_the_cookie_still_needs_the_right_host_and_origin(shared: Served) -> None:
    await deserted(shared)
    async with client(shared) as session:
        for header, value, status in FOREIGN:
            said = {"Origin": shared.origin, header: value.format(port=shared.port)}
            async with session.get(shared.origin, headers=said) as answer:
                assert answer.status == status, said
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{shared.origin}/ws", headers=said)
            assert refused.value.status == status, said
    assert not shared.consoles()


@pytest.mark.asyncio
async def test_a_socket_needs_an_origin_and_everything_else_a_get(shared: Served) -> None:
    async with client(shared) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(f"{shared.origin}/ws")
        async with session.post(shared.origin) as answer:
            assert answer.status == 405
        for path in ("/static/..%2f..%2fgate.py", "/static/", "/download/x"):
            async with session.get(shared.origin + path) as answer:
                assert answer.status == 404
        async with session.get(f"{shared.origin}/?ping=http://x", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.asyncio
async def test_keys_are_dropped_and_the_wall_goes_on(served: Served, site: Path) -> None:
    async with client(served) as session, watching(served, session) as socket:
        await shows(socket, b"healer-0001")
        before = served.consoles()
        for keys in KEYS:
            await socket.send_str(json.dumps(["stdin", keys]))
            await socket.send_bytes(keys.encode())
        for odd in ("", "[", "7", "[]", '["resize"]', '["resize",{"width":1}]', "[" * 5000):
            await socket.send_str(odd)
        await socket.send_str('["ping","1"]')
        trip(site, "healer-0002")
        await shows(socket, b"healer-0002")
        assert served.consoles() == before
        words = proc(before[0], "cmdline").split(b"\0")
        assert {b"--wall", b"--read-only"} <= set(words)
        assert served.token.encode() not in proc(before[0], "environ")


@pytest.mark.asyncio
async def test_a_window_has_its_limits(shared: Served) -> None:
    await deserted(shared)

    def window() -> tuple[int, ...]:
        with Path(f"/proc/{pid}/fd/0").open("rb") as terminal:
            return struct.unpack("HHHH", fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))[:2]

    async with client(shared) as session, watching(shared, session) as socket:
        await shows(socket, b"healer-0001")
        (pid,) = shared.consoles()
        assert window() == (30, 100)
        for asked, granted in (((10**6, 10**6), (120, 400)), ((-5, 0), (5, 20))):
            size = {"width": asked[0], "height": asked[1]}
            await socket.send_str(json.dumps(["resize", size]))
            await socket.send_str('["ping","done"]')
            async with asyncio.timeout(PATIENCE_S):
                while (await socket.receive()).type is not aiohttp.WSMsgType.TEXT:
                    pass
            assert window() == granted


@pytest.mark.asyncio
async def test_seats_are_counted_and_given_back(shared: Served) -> None:
    await deserted(shared)
    async with client(shared) as session:
        async with watching(shared, session) as one, watching(shared, session) as two:
            await shows(one, b"healer-0001")
            await shows(two, b"healer-0001")
            pids = shared.consoles()
            assert len(pids) == 2
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await session.ws_connect(f"{shared.origin}/ws", origin=shared.origin)
            async with session.get(f"{shared.origin}/seat") as answer:
                assert answer.status == 503
        await asyncio.to_thread(wait_until, lambda: all(map(gone, pids)), "consoles end")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with session.get(f"{shared.origin}/seat") as answer:
                    if answer.status == 204:
                        break
        await deserted(shared)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
async def test_its_consoles_end_with_it(served: Served, number: signal.Signals, code: int) -> None:
    async with client(served) as session, watching(served, session) as socket:
        await shows(socket, b"healer-0001")
        pids = served.consoles()
        assert pids
        ending = asyncio.create_task(asyncio.to_thread(served.end, number))
        async with asyncio.timeout(PATIENCE_S):
            while (await socket.receive()).type is aiohttp.WSMsgType.BINARY:
                pass
        assert await ending == code
    await asyncio.to_thread(wait_until, lambda: all(map(gone, pids)), "consoles end")
    assert "Traceback" not in served.log()


@pytest.mark.asyncio
async def test_a_console_that_does_not_end_is_ended(served: Served) -> None:
    async with client(served) as session:
        async with watching(served, session) as socket:
            await shows(socket, b"healer-0001")
            (pid,) = served.consoles()
            os.kill(pid, signal.SIGSTOP)
        await asyncio.to_thread(wait_until, lambda: gone(pid), "the console is killed")


def refusal(site: Path, *options: str, token: str = "") -> str:
    """What ``serve`` says when it does not even start."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(site), "LANG": "C.UTF-8"}
    done = finished(
        ["serve", "--port", "0", *options], {**environment, "HEALCONSOLE_SERVE_TOKEN": token}
    )
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.asyncio
async def test_the_wall_of_the_fleet_has_its_redis_in_no_command_line(
    site: Path, redis_url: str
) -> None:
    environment = {"HEAL_REDIS_URL": redis_url, "HEALCONSOLE_HOST": "web-07"}
    with Served(site, "--fleet", environment=environment) as served:
        publish = (sys.executable, "-m", "healconsole", "publish", "--once", "--lease", "10m")
        options = ("--state-root", f"{site}/state", "--audit", f"{site}/audit.jsonl")
        done = await asyncio.create_subprocess_exec(
            *publish, *options, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        assert await done.wait() == 0
        async with client(served) as session, watching(served, session) as socket:
            await shows(socket, b"web-07/healer-0001")
            (pid,) = served.consoles()
            assert redis_url.encode() not in proc(pid, "cmdline")


@pytest.mark.parametrize("package", ["aiohttp", "textual_serve"])
def test_without_its_packages_it_is_one_clear_line(package: str) -> None:
    blocked = (
        f"import sys; sys.modules[{package!r}] = None; from healconsole.cli.main import main; "
        "sys.exit(main(['serve', '--port', '0']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "healconsole[serve]" in done.stderr


def test_a_token_that_others_know_is_refused(site: Path) -> None:
    file = site / "token"
    file.write_text("a-token-of-our-own-choice\n")
    file.chmod(0o644)
    assert f"chmod 600 {file}" in refusal(site, "--token-file", str(file))
    file.chmod(0o600)
    file.write_text("short")
    assert "at least 20 characters" in refusal(site, "--token-file", str(file))
    assert "at least 20 characters" in refusal(site, token="x y" * 20)
    assert "not a regular file" in refusal(site, "--token-file", "/dev/null")


def test_what_makes_no_sense_is_refused(site: Path) -> None:
    assert "--url" in refusal(site, "--bind", "0.0.0.0")  # noqa: S104 - it is refused
    assert "takes no path" in refusal(site, "--url", "https://wall.example/x")
    assert "must be http" in refusal(site, "--url", "ftp://wall.example")
    assert "--seats" in refusal(site, "--seats", "0")
    assert "IP address" in refusal(site, "--bind", "wall.example")


@pytest.mark.asyncio
async def test_behind_a_proxy_its_own_address_is_a_foreign_one(site: Path) -> None:
    file = site / "token"
    file.write_text("a-token-of-our-own-choice\n")
    file.chmod(0o600)
    options = ("--token-file", str(file), "--url", "https://wall.example")
    with Served(site, *options) as served:
        assert "a-token-of-our" not in served.said
        address = f"http://127.0.0.1:{_port(served)}"
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as answer:
                assert answer.status == 421
            async with session.get(
                f"{address}/?token=a-token-of-our-own-choice",
                headers={"Host": "wall.example"},
                allow_redirects=False,
            ) as answer:
                assert answer.status == 303
                assert answer.headers["Set-Cookie"].startswith("__Host-")
                assert "Secure" in answer.headers["Set-Cookie"]


def _port(served: Served) -> int:
    """The port that it listens on, when it prints another: the kernel's word."""
    links = (str(fd.readlink()) for fd in Path(f"/proc/{served.process.pid}/fd").iterdir())
    inodes = {link[8:-1] for link in links if link.startswith("socket:")}
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("it does not listen")


def test_no_message_is_more_than_a_size_or_a_sign_of_life() -> None:
    assert wire.read('["resize",{"width":81,"height":25}]') == wire.Size(81, 25)
    assert wire.read('["resize",{"width":true,"height":1e9}]') is None
    assert wire.read('["ping","' + "x" * 33 + '"]') is None
    assert wire.read('["stdin","q"]') is None
    assert wire.read("9" * 10_000) is None
