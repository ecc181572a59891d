"""status, explain and locks: what they print, exactly and for people."""

from __future__ import annotations

import io
import json
import os
import re
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import redis

from healconsole.cli.errors import REFUSED
from healconsole.cli.main import main
from healconsole.core.intent import marker_key
from healconsole.core.marker import format_marker
from healconsole.core.records import MarkerRecord
from tests.cli.program import Site
from tests.stores.children import as_nobody

HEALER_KEYS = {
    *("name", "library", "mode", "hold", "heartbeat", "running", "breakers", "buckets"),
    *("markers", "last", "verdict"),
}


def _by_name(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {healer["name"]: healer for healer in status["healers"]}


def test_status_json_has_exactly_the_keys_of_its_description(site: Site) -> None:
    status = site.json("status")
    assert set(status) == {"taken_at", "host", "audit", "redis", "healers", "locks"}
    assert set(status["audit"]) == {"path", "state", "lag_s", "unparsable"}
    assert set(status["redis"]) == {"state", "latency_ms"}
    for healer in status["healers"]:
        assert set(healer) == HEALER_KEYS
        assert set(healer["heartbeat"]) == {"at", "age_s", "state", "source"}
        assert set(healer["running"]) == {"pid"}
        assert set(healer["markers"]) == {"active", "total"}
        assert set(healer["verdict"]) == {"allow", "guard", "reason", "earliest"}
        for breaker in healer["breakers"]:
            assert set(breaker) == {
                *("scope", "state", "failures", "max", "remaining_s", "assumed"),
            }
        for bucket in healer["buckets"]:
            assert set(bucket) == {
                *("scope", "tokens", "burst", "rate", "next_token_s", "assumed"),
            }


def test_status_json_tells_the_state_of_each_healer(site: Site) -> None:
    healers = _by_name(site.json("status"))
    assert set(healers) == {"worker-queue-healer", "disk-reaper", "broken", "legacy-mailq"}
    (breaker,) = healers["worker-queue-healer"]["breakers"]
    assert breaker["scope"] == "restart_worker"
    assert breaker["state"] == "open"
    assert (breaker["failures"], breaker["max"], breaker["assumed"]) == (3, 3, False)
    assert 400 < breaker["remaining_s"] <= 540
    verdict = healers["worker-queue-healer"]["verdict"]
    assert (verdict["allow"], verdict["guard"]) == (False, "circuit")
    assert verdict["earliest"] == site.now + 540
    assert healers["broken"]["breakers"][0]["state"] == "corrupt"
    assert healers["broken"]["verdict"]["allow"] is False
    assert healers["legacy-mailq"]["library"] == "legacy"
    assert healers["legacy-mailq"]["breakers"][0]["scope"] == "flush queue=mx1"
    assert healers["legacy-mailq"]["breakers"][0]["assumed"] is True
    assert healers["disk-reaper"]["heartbeat"]["state"] == "fresh"


def test_tokens_are_those_of_now_not_those_of_the_file(site: Site) -> None:
    site.write("worker-queue-healer/rate/restart_worker", f"{site.now - 120} 0.000000 0.016700 3\n")
    (bucket,) = _by_name(site.json("status", "worker-queue-healer"))["worker-queue-healer"][
        "buckets"
    ]
    assert 2.0 <= float(bucket["tokens"]) < 2.5


def test_status_names_only_the_healers_that_are_asked_for(site: Site) -> None:
    names = [healer["name"] for healer in site.json("status", "disk-reaper", "broken")["healers"]]
    assert names == ["broken", "disk-reaper"]


def test_status_for_people_fits_80_columns_and_says_why(site: Site) -> None:
    done = site.run("status")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    (row,) = [line for line in lines if "worker-queue-healer" in line]
    assert "open" in row
    assert "2.0/3" in row
    assert any("would NOT act" in line for line in lines)
    assert max(len(line) for line in lines if line.startswith(("✖", "!", "✔", "◌"))) <= 80


def test_a_named_healer_is_shown_with_its_breakers_and_buckets(site: Site) -> None:
    text = site.run("status", "worker-queue-healer").stdout
    assert "3 of 3" in text
    assert "restart_worker" in text


def test_data_in_a_name_never_reaches_the_terminal_raw(site: Site) -> None:
    site.write("worker-queue-healer/cb/a%1B]0;pwned%07", f"1 {site.now} 3 600 closed 0\n")
    site.append(
        healer="worker-queue-healer", intent="x \x1b[2J\x9b\u202e", outcome="denied", reason="\x07",
        fact="",
    )  # fmt: skip
    for words in (
        ("status", "worker-queue-healer"),
        ("status", "--json"),
        ("explain", "worker-queue-healer"),
        ("tail",),
        ("tail", "--json"),
    ):
        done = site.run(*words)
        assert done.returncode == 0, done.stderr
        assert not set(done.stdout) & set("\x1b\x07\x9b\u202e")


def test_json_keeps_data_exact(site: Site) -> None:
    site.write("worker-queue-healer/cb/a%1B]0;%07", f"1 {site.now} 3 600 closed 0\n")
    healer = _by_name(site.json("status"))["worker-queue-healer"]
    assert "a\x1b]0;\x07" in {breaker["scope"] for breaker in healer["breakers"]}


def test_looking_changes_nothing(site: Site) -> None:
    def picture() -> dict[str, tuple[int, int, bytes]]:
        return {
            str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes())
            for path in sorted(site.root.rglob("*"))
            if path.is_file()
        }

    before = picture()
    for words in (("status",), ("explain", "worker-queue-healer"), ("tail",), ("locks",)):
        assert site.run(*words).returncode == 0
    assert picture() == before


def test_explain_shows_the_ladder_with_its_evidence(site: Site) -> None:
    done = site.run("explain", "worker-queue-healer")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("worker-queue-healer would NOT act")
    assert any("✖ circuit" in line for line in rest)
    assert any("✔ hold" in line for line in rest)


@pytest.mark.parametrize(
    ("name", "folder", "outcome"),
    [("acted", "keys", "success"), ("disk-reaper", "dry/keys", "dry-run")],
)
def test_status_and_explain_tell_of_an_act_by_its_marker(
    site: Site, name: str, folder: str, outcome: str
) -> None:
    intent = "remove_cores older=7d"
    if name == "acted":
        site.write("acted/cycle.json", "corrupt")
    for window in (site.now // 300, site.now // 300 + 1):  # the next one may begin meanwhile
        at = min(site.now - 9, window * 300 + 299)
        key = marker_key(intent, window)
        mark = MarkerRecord(key, at, intent, "remove_cores", 7, outcome)
        site.write(f"{name}/{folder}/{key}", format_marker(mark))
    site.append(healer=name, intent=intent, outcome="denied", reason="acted on", guard="x")
    said = re.compile(rf"acted on (\d+) s ago \({outcome}\)")
    told = [
        site.run("status", name).stdout,
        site.run("explain", name).stdout,
        site.json("status", name)["healers"][0]["verdict"]["reason"],
        site.json("explain", name)["verdict"]["reason"],
    ]
    ages = [int(found[1]) for found in map(said.search, told) if found]
    assert len(ages) == len(told), told
    assert all(9 <= age < 40 for age in ages)
    assert site.json("status", name)["healers"][0]["markers"] == {"active": 1, "total": 2}


def test_explain_json_says_the_verdict_and_each_step(site: Site) -> None:
    answer = site.json("explain", "worker-queue-healer", "--intent", "restart_worker pid=1")
    assert answer["verdict"]["allow"] is False
    assert answer["verdict"]["guard"] == "circuit"
    steps = {step["guard"]: step["result"] for step in answer["steps"]}
    assert steps["hold"] == "pass"
    assert steps["circuit"] == "deny"


def test_locks_without_redis_says_that_none_is_configured(site: Site) -> None:
    done = site.run("locks")
    assert done.returncode == 0
    assert "No Redis is configured" in done.stdout


def test_locks_of_an_unreachable_redis_are_unknown_never_free(site: Site) -> None:
    url = {"HEAL_REDIS_URL": "redis://:sesame@127.0.0.1:1/0"}
    done = site.run("locks", environment=url)
    assert done.returncode == 1
    assert "unknown" in done.stderr
    assert "sesame" not in done.stderr + done.stdout


def test_locks_names_the_holder(site: Site, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.set("heal:lock:cli-broker", "web-19/broker-restarter/4242/6f1c", px=60_000)
        server.set("heal:lock:cli-old", "6f1c0f6e-4c1f-4f0e-9c57-2f6a3a1d9b10", px=60_000)
    locks = {
        lock["key"]: lock
        for lock in site.json("locks", environment={"HEAL_REDIS_URL": redis_url})["locks"]
    }
    assert locks["cli-broker"]["owner"] == "web-19/broker-restarter/4242/6f1c"
    assert locks["cli-broker"]["state"] == "held"
    assert 0 < locks["cli-broker"]["ttl_s"] <= 60
    text = site.run("locks", environment={"HEAL_REDIS_URL": redis_url}).stdout
    assert "web-19/broker-restarter/4242" in text
    assert "opaque token 6f1c0f6e" in text


def test_a_state_root_that_is_not_there_is_not_an_empty_one(site: Site) -> None:
    done = site.run("status", "--state-root", f"{site.root}/nowhere", options=False)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("folder", ["", "cb", "rate", "keys"])
def test_what_cannot_be_read_of_a_healer_is_unknown_never_healthy(site: Site, folder: str) -> None:
    powerless = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    prefix = powerless if os.geteuid() == 0 else ()
    home = site.state / "blind"
    for name in ("cb", "rate", "keys"):
        (home / name).mkdir(parents=True)
    (home / folder).chmod(0)
    try:
        found = _by_name(json.loads(site.run("status", "--json", prefix=prefix).stdout))["blind"]
        shown = site.run("status", "blind", prefix=prefix).stdout
        checked = site.run("check", "blind", prefix=prefix).stdout
    finally:
        (home / folder).chmod(0o700)
    hidden = {folder} if folder else {"cb", "rate", "keys"}
    assert (found["breakers"] is None) == ("cb" in hidden)
    assert (found["buckets"] is None) == ("rate" in hidden)
    assert (found["markers"] == {"active": None, "total": None}) == ("keys" in hidden)
    assert found["verdict"]["allow"] is False
    assert ("'blind circuits'=U" in checked) == ("cb" in hidden)
    assert ("'blind tokens'=U" in checked) == ("rate" in hidden)
    assert ("'blind markers'=U" in checked) == ("keys" in hidden)
    assert ("closed" in shown) == ("cb" not in hidden)
    assert ("3.0/3" in shown) == ("rate" not in hidden)
    assert ("0 kept" in shown) == ("keys" not in hidden)


def test_an_unreadable_state_root_is_one_clear_line(site: Site) -> None:
    # Root reads everything, unless it has given up that power.
    powerless = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    site.state.chmod(0)
    try:
        done = site.run("status", prefix=powerless if os.geteuid() == 0 else ())
    finally:
        site.state.chmod(0o700)
    assert done.returncode == 1
    assert str(site.state) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_empty_state_root_says_what_to_do(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = site.run(
        *("status", "--state-root", f"{tmp_path}/empty", "--audit", f"{tmp_path}/none.jsonl"),
        options=False,
    )
    assert done.returncode == 0, done.stderr
    assert "No healers yet" in done.stdout


def test_taken_at_is_now(site: Site) -> None:
    before = time.time()
    status = site.json("status")
    assert isinstance(status["taken_at"], int | float | str)
    if not isinstance(status["taken_at"], str):
        assert before - 1 <= status["taken_at"] <= time.time() + 1


def test_what_may_not_be_read_is_said_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(site.root))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (site.state / "broken").chmod(0)
    words = ["explain", "broken", *site.options]
    told = io.StringIO()

    def look() -> None:
        with redirect_stderr(told):
            assert main(words) == REFUSED
        said = "healconsole: broken cannot be read (permission denied); give this user"
        assert told.getvalue().startswith(said)

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        main(words)  # root can: what it imports may be where nobody else may read
    as_nobody(site.state, look)
