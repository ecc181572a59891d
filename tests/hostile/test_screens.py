"""A hostile host in the whole program, in a real terminal: every screen, every dialog.

What reaches the terminal is taken apart by a grammar that knows only what Textual and the console
send. Time is the time on the processor of the thread that draws: a stall there is what an
operator would wait for.
"""

from __future__ import annotations

import base64
import random
import signal
import string
import time
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Site
from tests.hostile.grammar import taken_apart
from tests.hostile.payloads import CANARY
from tests.hostile.site import environment, hostile, hostile_redis
from tests.link.consoles import LONG, Console

STALL_S = 0.25 if LONG else 0.5
"""The short run shares its machine, and what it measures grows with that."""
QUIET_S = 0.08
"""Seconds without a byte after which the screen is taken to be drawn."""

ROUNDS = {
    "home": ["\x1b[B", "\x1b[B", "\x1b[6~", "\x1b[F", "\x1b[H", "/", "ev", "\x1b"],
    "healer": ["\r", "\x1b[6~", "\x1b[6~", "\x1b[F", "a", "\x1b", "\x1b", "\x1b"],
    "audit": ["a", "\x1b[A", "\x1b[5~", "\x1b[5~", "\x1b[H", "/", "outcome:x", "\x1b", "\x1b"],
    "event": ["a", "\x1b[A", "\r", "\x1b[6~", "\x1b", "\x1b[A", "\r", "\x1b", "\x1b[H", "\r",
              "\x1b", "\x1b[B", "\r", "\x1b", "\x1b[B", "\r", "\x1b", "\x1b"],
    "explain": ["e", "x", "\x1b"],
    "locks": ["l", "\x1b[6~", "\x1b[F", "\x1b"],
    "help": ["?", "\x1b[6~", "\x1b"],
    "palette": ["\x10", "tr", "\x1b"],
    "trip": ["t", "\x1b[Z", " ", " ", "\x1b[6~", "\x1b"],
    "reset": ["r", "\x1b[Z", " ", " ", "\x1b[6~", "\x1b"],
    "approve": ["p", "\x1b[Z", " ", "\x1b[6~", "\x1b"],
    "mark": [" ", " ", "t", "\x1b", "\x1b"],
}  # fmt: skip
"""The keys of each round through the screens, one after the other, back to the first screen."""


KEYS = [key for keys in ROUNDS.values() for key in keys] + ["\x0c", "\t", "c", "T", "s", "u", "d"]
OTHERS = [key for key in string.printable if key not in "qQ\n\r"] + [
    "\x01", "\x05", "\x08", "\x0b", "\x15", "\x17", "\x7f", "\x1b[A", "\x1b[C", "\x1b[D", "\x1b[3~",
    "\x1bOP", "\x1b[I", "\x1b[O", "\x1b[200~pasted\r\x1b[201~",
]  # fmt: skip
"""What is typed by mistake; q would quit."""
BUTTONS = (0, 0, 0, 2, 32, 35, 64, 65)
"""Of the mouse, as terminals tell them: left, right, dragged, moved, turned up and down."""
SIZES = [(20, 5), (80, 24), (40, 60), (120, 40), (300, 10)]
SEEDS, KEYS_PRESSED = (30, 1500) if LONG else (1, 150)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The hostile host."""
    return hostile(tmp_path)


def console(site: Site, url: str, *words: str, columns: int = 120, rows: int = 40) -> Console:
    """The program on the hostile host, with the hostile healer under its cursor."""
    argv = (*PROGRAM, *words, *site.options)
    opened = Console(argv, environment(site, url), columns=columns, rows=rows, warm=True)
    opened.replay = False  # pyte is slow, and obeys what it is not to be sent
    return opened


def drawn(opened: Console) -> None:
    """Read until nothing comes any more."""
    while opened.read(QUIET_S):
        pass


def on_processor(pid: int) -> float:
    """Seconds that the main thread of ``pid`` was on a processor."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def press(opened: Console, key: str) -> None:
    """Press a key, and see that it costs no stall and sends nothing but what is ours."""
    assert not opened.ended(), "it is gone"
    before = on_processor(opened.pid)
    opened.send(key)
    drawn(opened)
    spent = on_processor(opened.pid) - before
    assert spent < STALL_S * len(key.encode()), f"{key!r} took {spent:.2f} s"


def test_no_sequence_of_keys_clicks_and_sizes_ends_it(site: Site, redis_url: str) -> None:
    hostile_redis(redis_url, site.now)
    for seed in range(SEEDS):
        chance = random.Random(seed)  # noqa: S311 - to be repeated
        with console(site, redis_url) as opened:
            opened.wait_for_bytes(b"READ-WRITE")
            for _ in range(KEYS_PRESSED):
                opened.send(pressed(chance))
                if chance.random() < 0.2:
                    opened.resize(*chance.choice(SIZES))
                while opened.read(chance.choice((0, 0.01, 0.03))):
                    pass
                if opened.ended():
                    break
            if opened.ended():  # the palette has quit, too
                said = opened.received[-2000:].decode(errors="replace")
                assert opened.ends()[0] == 0, f"{seed}: {said}"
                continue
            drawn(opened)
            opened.resize(77, 33)
            answers(opened, f"{seed}: it is deaf")
            left(opened)


def pressed(chance: random.Random) -> str:
    """A key that does something here, any other key, or a turn or a click of the mouse."""
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(KEYS)
    if kind < 0.75:
        return chance.choice(OTHERS)
    button, at = chance.choice(BUTTONS), f"{chance.randrange(1, 130)};{chance.randrange(1, 45)}"
    return f"\x1b[<{button};{at}M" + (f"\x1b[<{button};{at}m" if button in (0, 2) else "")


def answers(opened: Console, otherwise: str) -> None:
    """Read until something comes."""
    deadline = time.monotonic() + 10
    while not opened.read(0.1):
        assert time.monotonic() < deadline, otherwise


def until_logged(opened: Console, site: Site, outcome: str) -> None:
    """Read until the log has an event of an operator."""
    deadline = time.monotonic() + 20
    while f'"outcome":"{outcome}"'.encode() not in site.audit.read_bytes():
        assert time.monotonic() < deadline, f"no {outcome}\n{opened.text()}"
        opened.read(0.05)


def left(opened: Console) -> list[bytes]:
    """End it, take apart what it sent, and return what it copied."""
    opened.signal(signal.SIGTERM)
    code, _ = opened.ends()
    assert code == 128 + signal.SIGTERM, opened.received[-3000:].decode(errors="replace")
    return taken_apart(opened.received)[1]


def test_every_screen_and_dialog_shows_and_obeys_nothing(site: Site, redis_url: str) -> None:
    hostile_redis(redis_url, site.now)
    with console(site, redis_url) as opened:
        opened.wait_for_bytes(b"READ-WRITE")
        drawn(opened)
        for keys in ROUNDS.values():
            for key in keys:
                press(opened, key)
        assert left(opened) == []
        assert CANARY in taken_apart(opened.received)[0]


def test_what_an_act_says_and_what_a_cycle_prints_is_only_text(site: Site, redis_url: str) -> None:
    with console(site, redis_url) as opened:
        opened.replay = True
        # One of them has a space, as the names of the older library have: no breaker of evil's.
        opened.wait_for("OPEN x28")
        for key, heading, verb, outcome in (
            ("d", "Dry-run evil", "dry-run", "operator-dry-run"),
            ("u", "Undo dry-run evil", "undo", "operator-undo"),
            ("x", "Run one cycle of evil", "run", "operator-run"),
        ):
            opened.wait_for(lambda text: "▌" in text and "esc cancel" not in text)
            opened.send(key)
            opened.wait_for(heading)
            opened.wait_for("a reason is needed")
            opened.send("drill\r\r")
            opened.wait_for(f"enter: {verb}")
            opened.send("\r")
            until_logged(opened, site, outcome)
        opened.wait_for("esc close")
        left(opened)


def test_a_line_is_copied_exactly_and_as_base64(site: Site, redis_url: str) -> None:
    with console(site, redis_url) as opened:
        opened.wait_for_bytes(b"READ-WRITE")
        drawn(opened)
        press(opened, "a")
        wanted = []
        lines = site.audit.read_bytes().splitlines()
        for at in (-1, -2, -9, -10, -11):
            press(opened, "G")
            press(opened, "\x1b[A" * (-1 - at)) if at < -1 else None
            press(opened, "c")
            wanted.append(lines[at].decode("utf-8", "replace").encode())
        assert left(opened) == wanted
        assert base64.b64encode(wanted[0]) in opened.received


@pytest.mark.parametrize(
    ("columns", "rows"), [(80, 24)] if not LONG else [(80, 24), (20, 5), (300, 90)]
)
def test_the_wall_and_a_narrow_terminal(
    site: Site, redis_url: str, columns: int, rows: int
) -> None:
    hostile_redis(redis_url, site.now)
    for words in (("--wall",), ("--read-only",)):
        with console(site, redis_url, *words, columns=columns, rows=rows) as opened:
            opened.wait_for_bytes(b"\x1b[?1049h")
            drawn(opened)
            for key in ("\x1b[B", "e", "\x1b", "a", "\r", "\x1b", "\x1b"):
                press(opened, key)
            left(opened)
