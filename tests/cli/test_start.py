"""What a start loads and makes, counted instead of timed: a clock would measure its neighbours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Site
from tests.terminal import Terminal

MODULES_OF_A_LOOK = 75
MODULES_OF_A_CONSOLE = 122
"""Of our own. Each takes 0.3 ms to find and load, on a machine that starts Python in 17."""

PACKAGE = Path(__file__).resolve().parents[2] / "healconsole"

TELL = """
import atexit, json, os, re, sys

def tell():
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("healconsole")]
    made = {f"{it.__module__}.{it.__qualname__}" for module in ours for it in vars(module).values()
            if isinstance(it, type) and "__dataclass_params__" in vars(it)
            and it.__module__.startswith("healconsole")}
    compiled = [f"{module.__name__}.{name}" for module in ours
                for name, it in vars(module).items() if isinstance(it, re.Pattern)]
    with open(os.environ["TELL"], "w") as told:
        json.dump({"loaded": sorted(sys.modules), "dataclasses": sorted(made),
                   "compiled": compiled}, told)
"""

COMMAND = f"""{TELL}
atexit.register(tell)
from healconsole.cli.main import main
sys.exit(main())
"""

CONSOLE = f"""{TELL}
from healconsole.cli import screen
from healconsole.cli.main import main

load_event_loop = screen._load_event_loop

def load_and_hook():
    load_event_loop()
    from healconsole.tui.driver import ConsoleDriver
    global write
    write, ConsoleDriver.write = ConsoleDriver.write, first_frame

def first_frame(driver, data):
    if len(data) > 200:  # what is sent before to set the terminal up is shorter
        tell()
        sys.stdout = sys.__stdout__
        sys.__stdout__.write(data + "\\x1b[1;1HTHE FIRST FRAME")
        sys.__stdout__.flush()
        os._exit(0)
    write(driver, data)

screen._load_event_loop = load_and_hook
main()
"""

FOR_OTHERS = {
    *("redis", "watchfiles", "aiohttp", "tomllib", "ssl"),
    *("healconsole.demo", "healconsole.report", "healconsole.serve", "healconsole.engine"),
    *("healconsole.stores.fleetfeed", "healconsole.stores.fleethosts"),
    *("healconsole.stores.fleetpoll", "healconsole.stores.redislink"),
}
"""What neither a look nor a console that only looks has a use for, on a host without Redis."""

NOT_FOR_TEXT = {
    *("textual", "rich", "asyncio", "healconsole.tui"),
    *("base64", "decimal", "queue", "shlex", "shutil", "socket", "subprocess"),
    "traceback",
}

CHANGEABLE = {
    "healconsole.stores.feed._Due",
    "healconsole.stores.picture._Past",
    "healconsole.tui.dialogs.session.ActSession",
}
"""Records that change, which are dataclasses; one costs as much as five that are `Frozen`."""


def ours(loaded: list[str]) -> set[str]:
    """Our own modules."""
    return {name for name in loaded if name.split(".")[0] == "healconsole"}


@pytest.mark.parametrize("command", ["check", "status"])
def test_a_look_in_text_loads_little_and_generates_less(site: Site, command: str) -> None:
    path = site.root / "told"
    done = subprocess.run(
        (sys.executable, "-c", COMMAND, command, *site.options),
        env={**site.environment, "TELL": str(path)},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "worker-queue-healer" in done.stdout, done.stderr
    told = json.loads(path.read_bytes())
    assert (FOR_OTHERS | NOT_FOR_TEXT) & set(told["loaded"]) == set()
    assert len(ours(told["loaded"])) <= MODULES_OF_A_LOOK
    assert set(told["dataclasses"]) <= CHANGEABLE
    assert told["compiled"] == []  # each is there from its first use on, see `core.pattern`


def test_a_healer_loads_no_more_than_it_uses(site: Site) -> None:
    path = site.root / "told"
    script = f"{TELL}\nfrom healconsole import Denied, Fact, Guard, Healer, Intent, Policy\ntell()"
    environment = {**site.environment, "TELL": str(path)}
    subprocess.run((sys.executable, "-c", script), env=environment, check=True, timeout=60)
    loaded = set(json.loads(path.read_bytes())["loaded"])
    assert {"asyncio", "importlib.resources", "redis", "rich", "textual"} & loaded == set()
    assert {"healconsole.cli", "healconsole.tui"} & loaded == set()


def test_the_first_frame_of_the_console_is_whole_and_needs_little(site: Site) -> None:
    path = site.root / "told"
    argv = (sys.executable, "-c", CONSOLE, "--read-only", *site.options)
    environment = {**site.environment, "TELL": str(path)}
    with Terminal(argv, environment, columns=120, rows=40) as terminal:
        frame = terminal.wait_for("THE FIRST FRAME")
    # The table, the answer for the healer under the cursor, the log, and the keys.
    for part in ("disk-reaper", "would NOT act", "queue did not drain", "READ-ONLY", "filter"):
        assert part in frame
    told = json.loads(path.read_bytes())
    loaded = set(told["loaded"])
    assert FOR_OTHERS & loaded == set()
    assert not {"healconsole.tui.palette", "healconsole.tui.widgets.field"} & loaded
    screens = {name for name in loaded if name.startswith("healconsole.tui.screens.")}
    assert {name.rpartition(".")[2] for name in screens} == {"base", "acting", "home"}
    dialogs = {name for name in loaded if name.startswith("healconsole.tui.dialogs.")}
    assert {name.rpartition(".")[2] for name in dialogs} == {"opening", "session"}
    assert len(ours(told["loaded"])) <= MODULES_OF_A_CONSOLE
    assert set(told["dataclasses"]) <= CHANGEABLE
    assert told["compiled"] == []


def test_a_record_that_does_not_change_costs_no_generated_methods() -> None:
    wrong = [
        f"{path}:{number}"
        for path in PACKAGE.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.startswith("@dataclass(frozen")
    ]
    assert not wrong, "a class that derives from healconsole.core.frozen.Frozen is made faster"
