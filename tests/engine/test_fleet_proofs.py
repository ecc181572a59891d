"""A hundred hosts in bash and Python with one trigger; and leases lost in every way there is.

Never two actions under one fencing number, never a foreign lock released, every loss audited.
The full counts run with HEALCONSOLE_LONG=1.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from healconsole.stores.redislink import RedisLink
from healconsole.stores.redisserver import RedisServer
from tests.engine.fleets import BASH, LIBRARIES, PYTHON, Host, environment
from tests.engine.netfaults import Proxy
from tests.engine.sites import OPEN_POLICY, Site, many, race
from tests.shell.bashes import ShellSite

HOSTS = 100
WITHOUT = many(30, HOSTS)
"""Hosts without the fleet's guardrails, which prove nothing but that the trigger bites."""
IN_BASH = 5
RATE, BURST = 2, 1
GUARDED = replace(
    OPEN_POLICY,
    fleet_lock="worker",
    fleet_lock_ttl=20,
    fleet_rate_micro=RATE * 1_000_000,
    fleet_burst=BURST,
)
LOCKED = replace(OPEN_POLICY, fleet_lock="l", fleet_lock_ttl=1)
INSIDE = (
    'if mkdir "$TEST_ROOT/../inside"; then mark ../acted; rmdir "$TEST_ROOT/../inside"; '
    "else mark ../together; fi"
)


def simulate(
    root: Path, url: str, policy: object, lasts: float, hosts: int = HOSTS
) -> Counter[str]:
    """All hosts see one symptom at once, and try to act on it until it has lasted."""
    root.mkdir()

    def work(index: int) -> None:
        library = BASH if index < IN_BASH else PYTHON
        path = root / f"host{index}"
        path.mkdir()
        host = Host(f"host{index}", library, path, url)
        until = time.monotonic() + lasts
        while True:
            outcome, _ = host.act(policy, script=INSIDE)  # type: ignore[arg-type] # a Policy
            (path / outcome).touch()
            if outcome == "success" or time.monotonic() > until:
                return
            # A healer's interval, shortened.
            time.sleep(0.25)

    race(hosts, work, timeout=300)
    found = Counter(
        {
            what: (root / what).stat().st_size
            for what in ("acted", "together")
            if (root / what).exists()
        }
    )
    found["hosts that acted"] = sum((root / f"host{i}" / "success").exists() for i in range(hosts))
    return found


def test_a_hundred_hosts_with_one_trigger(tmp_path: Path, redis_url: str) -> None:
    lasts = many(1, 60)
    began = time.monotonic()
    guarded = simulate(tmp_path / "guarded", redis_url, GUARDED, lasts)
    took = time.monotonic() - began
    bare = simulate(tmp_path / "bare", redis_url, OPEN_POLICY, 0, WITHOUT)
    most = BURST + RATE * took
    print(f"\n{HOSTS} hosts, one trigger, {took:.1f} s at {RATE} a second for the fleet")
    print(f"with the fleet's guardrails: {guarded['acted']} acts, at most {most:.0f} are due")
    alone, together = bare["acted"], bare["together"]
    print(f"{WITHOUT} without: {alone + together} acts, of which {together} at once")
    assert 1 <= guarded["acted"] <= most
    assert guarded["acted"] == guarded["hosts that acted"]
    assert guarded["together"] == 0
    assert alone + together == WITHOUT


# --- leases that are lost -------------------------------------------------------------------

JOURNAL = 'echo "$HEAL_FENCE begin" >>"$J"; sleep "$LASTS"; echo "$HEAL_FENCE end" >>"$J"'


@contextmanager
def crew(
    root: Path, libraries: tuple[str, ...], url: str, lasts: float
) -> Iterator[list[subprocess.Popen[str] | int]]:
    """Hosts that act again and again until ``root/stop`` is there; each in its own process."""
    running: list[subprocess.Popen[str] | int] = []
    script = JOURNAL.replace("$J", f"{root}/journal").replace("$LASTS", str(lasts))
    for index, library in enumerate(libraries):
        path = root / f"host{index}"
        path.mkdir()
        if library == BASH:
            site = ShellSite(path, limits=tuple(environment(LOCKED).items()))
            loop = (
                f"work() {{ {script}; }}\nfor ((n = 0; ; n++)); do\n"
                f"[[ ! -e {root}/stop ]] || exit 0\n"
                'heal_act_with_guardrails "fix $n" work good; nap; done'
            )
            running.append(site.start(loop, HEAL_HOST=f"host{index}", HEAL_REDIS_URL=url))
            continue
        pid = os.fork()
        if pid == 0:
            try:
                guard = Site(path).guard(LOCKED, redis=url, host=f"host{index}", log=lambda _: None)
                number = 0
                while not (root / "stop").exists():
                    number += 1
                    guard.run(f"fix {number}", ["bash", "-c", script])
                    time.sleep(0.01)
                guard.close()
            finally:
                os._exit(0)
        running.append(pid)
    try:
        yield running
    finally:
        (root / "stop").touch()
        for one in running:
            if isinstance(one, int):
                os.waitpid(one, 0)
            else:
                one.communicate(timeout=60)


def judged(root: Path) -> tuple[int, int]:
    """How many acts began and how many were lost; no number twice, and no loss unaudited."""
    lines = [line.split() for line in (root / "journal").read_text().splitlines()]
    begun = Counter(fence for fence, what in lines if what == "begin")
    ended = {fence for fence, what in lines if what == "end"}
    assert "begin" not in begun, "an action without a fencing number"
    assert max(begun.values()) == 1, "two actions under one fencing number"
    events = [event for path in root.glob("host*") for event in Site(path).events("action-failed")]
    lost = [event for event in events if "fleet lock l was lost" in event["reason"]]
    assert len(events) == len(lost), events
    # What was cut off was lost; what was lost at its very end may have come to it.
    assert len(begun.keys() - ended) <= len(lost)
    started = sum(len(Site(path).events("started")) for path in root.glob("host*"))
    assert len(begun) <= started
    return len(begun), len(lost)


def await_lines(root: Path, least: int) -> None:
    deadline = time.monotonic() + 30
    journal = root / "journal"
    while not journal.exists() or len(journal.read_text().splitlines()) < least:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_redis_killed_and_restarted(tmp_path: Path, redis_server: RedisServer) -> None:
    """It comes back empty each time: locks, and the last fencing numbers, are gone."""
    kills = many(4, 50)
    with crew(tmp_path, (BASH, PYTHON, PYTHON), redis_server.url, lasts=0.7):
        for _ in range(kills):
            journal = tmp_path / "journal"
            await_lines(
                tmp_path, (len(journal.read_text().splitlines()) if journal.exists() else 0) + 1
            )
            os.kill(redis_server.pid, signal.SIGKILL)
            redis_server.stop()
            redis_server.start()
    begun, lost = judged(tmp_path)
    print(f"\nRedis killed {kills} times: {begun} acts, {lost} leases lost, each audited")
    assert begun >= kills / 2
    assert lost >= 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_holder_is_stopped_for_longer_than_its_lease(
    tmp_path: Path, redis_url: str, library: str
) -> None:
    first, second = (
        Host("a", library, tmp_path / "a", redis_url),
        Host("b", PYTHON, tmp_path / "b", redis_url),
    )
    first.root.mkdir()
    second.root.mkdir()
    found: list[tuple[str, str]] = []
    fences = tmp_path / "fences"
    holder = os.fork()
    if holder == 0:
        os.setpgid(0, 0)
        code = 1
        try:
            script = f'echo "$HEAL_FENCE" >>{fences}; sleep 60'
            outcome, _ = first.act(LOCKED, script=script)
            code = 0 if outcome == "action-failed" else 2
        finally:
            os._exit(code)
    deadline = time.monotonic() + 30
    while not fences.exists() or not fences.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # The guard, and not its action, which goes on meanwhile: that is why numbers are handed out.
    guard = holder if library == PYTHON else _child_of(holder)
    os.kill(guard, signal.SIGSTOP)
    with Redis.from_url(redis_url, decode_responses=True) as client:
        while client.exists("heal:lock:l"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        script = f'echo "$HEAL_FENCE" >>{fences}; until [ -e {tmp_path}/go ]; do sleep 0.05; done'
        thread = threading.Thread(target=lambda: found.append(second.act(LOCKED, script=script)))
        thread.start()
        while len(fences.read_text().splitlines()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(guard, signal.SIGCONT)
        assert os.waitstatus_to_exitcode(os.waitpid(holder, 0)[1]) == 0
        # It gave up its action, and left the lock of the other alone.
        assert str(client.get("heal:lock:l")).startswith("b/h/")
        (tmp_path / "go").touch()
        thread.join()
    one, two = map(int, fences.read_text().split())
    assert two > one
    assert found[0][0] == "success"
    [event] = first.events("action-failed")
    assert "fleet lock l was lost" in str(event["reason"])


def _child_of(pid: int) -> int:
    """The bash that a host runs in."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_reply_is_dropped_at_every_step(tmp_path: Path, redis_url: str, library: str) -> None:
    """The look, the lock, the second look, the token, the release: each of them, in turn."""
    policy = replace(LOCKED, fleet_lock_ttl=5, fleet_rate_micro=0, fleet_burst=999)
    path = tmp_path / "host0"
    path.mkdir()
    script = JOURNAL.replace("$J", f"{tmp_path}/journal").replace("$LASTS", "0")
    outcomes: Counter[str] = Counter()
    drops = 0
    with Proxy(redis_url) as proxy, Redis.from_url(redis_url, decode_responses=True) as client:
        host = Host("host0", library, path, proxy.url)
        for turn in range(many(9, 405)):
            client.delete("heal:lock:l")
            proxy.dropped, proxy.after, proxy.once, proxy.fault = 0, turn % 9, True, "drop"
            outcome, reason = host.act(policy, f"fix {turn}", script=script)
            proxy.fault = ""
            drops += proxy.dropped
            outcomes[outcome] += 1
            assert outcome == "success" or (outcome, reason[:14]) == ("denied", "Redis unknown:")
            there = client.get("heal:lock:l")
            assert there is None or str(there).startswith("host0/h/")
            assert there is None or client.pttl("heal:lock:l") > 0
    begun, lost = judged(tmp_path)
    print(f"\n{library}: {drops} replies dropped: {dict(outcomes)}")
    assert (begun, lost) == (outcomes["success"], 0)
    assert drops >= many(4, 200)
    assert outcomes["denied"] >= 2
    # Every denial is in the log: the first of a run, and how many it were.
    said = Site(path).events("denied")
    assert sum(int(str(event.get("count", 1))) for event in said) >= outcomes["denied"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_lock_changes_between_the_look_and_the_release(
    tmp_path: Path, redis_url: str, library: str
) -> None:
    """Another owner takes over at any moment: what was looked at is released, or nothing."""
    turns, pace = many(40, 1_000), 2_000 if library == PYTHON else 40
    stop = threading.Event()
    taken: list[str] = []
    missing = 0

    def change() -> None:
        nonlocal missing
        with Redis.from_url(redis_url, decode_responses=True) as other:
            number = 0
            while not stop.is_set():
                number += 1
                if other.set("heal:lock:l", f"t{number}", get=True) is None:
                    missing += 1
                time.sleep(random.random() / pace)  # any moment  # noqa: S311

    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("heal:lock:l", "t0")
        changer = threading.Thread(target=change)
        changer.start()
        try:
            if library == PYTHON:
                link = RedisLink(redis_url)
                for _ in range(turns):
                    token = client.get("heal:lock:l")
                    if token is not None and link.release("l", str(token)):
                        taken.append(str(token))
                link.close()
            else:
                done = ShellSite(tmp_path).run(
                    f"""_heal_policy; _heal_nap_open
                    for ((n = 0; n < {turns}; n++)); do
                      _heal_redis GET heal:lock:l && [[ ${{_heal_replies[0]}} == \\$* ]] || continue
                      token=${{_heal_replies[0]#?}}
                      heal_fleet_lock_release l "$token" && echo "$token"
                    done; :""",
                    HEAL_REDIS_URL=redis_url,
                )
                assert done.returncode == 0, done.stderr
                taken = done.stdout.split()
        finally:
            stop.set()
            changer.join()
        last = client.get("heal:lock:l") is None
    print(f"\n{library}: {turns} looks, {len(taken)} released before they changed hands")
    # Each release took away exactly one token, and nothing else did.
    assert len(set(taken)) == len(taken) == missing + last
