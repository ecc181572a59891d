"""The audit log under many writers in two languages: whole lines, and none lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from healconsole.core.auditchain import linked
from healconsole.core.auditparse import LINE_MAX, format_event
from healconsole.core.text import encodable
from healconsole.stores.auditlog import AuditWriter, timestamp
from healconsole.stores.logverify import logs_of, verify
from tests.shell.bashes import LONG, NOON, ShellSite, many

SIZES = (10, 900, 1000, 1100, 4000, 4096, 5000, 30_000, 65_000, 70_000)


def python_writer(audit: Path, name: str, count: int) -> None:
    writer = AuditWriter(audit, lambda: float(NOON), "host")
    for number in range(count):
        fact = "x" * SIZES[number % len(SIZES)]
        writer.append(healer=name, outcome="success", intent=f"py {number}", fact=fact)


def test_sixteen_writers_in_two_languages_lose_nothing(site: ShellSite) -> None:
    count = many(20, 2000)
    processes = [
        site.start(
            f"""
            sizes=({" ".join(map(str, SIZES))})
            for ((i = 0; i < {count}; i++)); do
              printf -v HEAL_FACT '%*s' "${{sizes[i % {len(SIZES)}]}}" ''
              heal_audit "sh $i" success || exit 1
            done
            """,
            NAME=f"sh{index}",
        )
        for index in range(8)
    ]
    context = multiprocessing.get_context("fork")
    others = [
        context.Process(target=python_writer, args=(site.audit, f"py{index}", count))
        for index in range(8)
    ]
    for other in others:
        other.start()
    for process in processes:
        _, err = process.communicate(timeout=100 if not LONG else 3_000)
        assert process.returncode == 0, err
    for other in others:
        other.join()
    lines = site.audit.read_bytes().splitlines(keepends=True)
    found = {(event["healer"], event["intent"]) for event in map(json.loads, lines)}
    assert len(lines) == len(found) == 16 * count
    assert max(map(len, lines)) <= LINE_MAX
    assert all(line.endswith(b"\n") for line in lines)
    walk = verify([site.audit]).walk
    assert (walk.findings(), walk.linked) == ((), 16 * count)


def test_a_torn_tail_at_every_byte(site: ShellSite) -> None:
    whole = format_event(ts_text=timestamp(NOON), host="h", healer="x", outcome="success")
    step = 1 if LONG else 11
    for size in range(0, len(whole) + 1, step):
        (site.root / str(size)).write_bytes(whole + whole[:size])
    done = site.run(
        f"""
        for ((size = 0; size <= {len(whole)}; size += {step})); do
          HEAL_AUDIT_FILE=$TEST_ROOT/$size heal_audit "x 1" success || exit 1
        done
        """
    )
    assert done.returncode == 0, done.stderr
    for size in range(0, len(whole) + 1, step):
        lines = (site.root / str(size)).read_bytes().splitlines()
        assert lines[0] == whole[:-1]
        assert json.loads(lines[-1])["intent"] == "x 1"
        assert len(lines) == (2 if size == 0 else 3)


def test_a_tail_of_zeros_that_a_power_cut_left(site: ShellSite) -> None:
    site.audit.write_bytes(b'{"outcome":"x"}\n' + b"\0" * 100)
    assert site.act("fix") == "success"
    assert site.audit.read_bytes().splitlines()[1] == b"\0" * 100
    assert json.loads(site.audit.read_bytes().splitlines()[-1])["outcome"] == "success"


@pytest.mark.parametrize("size", [100, 3000, 66_000, 200_000])
def test_an_event_has_the_bytes_that_python_gives_it(site: ShellSite, size: int) -> None:
    """Also where it is cut, between characters."""
    fact = ('ü"\\\t\x01 €' * size)[:size]
    (site.root / "fact").write_text(fact)
    done = site.run(
        'IFS= read -r -d "" HEAL_FACT <"$TEST_ROOT/fact"; heal_audit "x 1" success "why ü"',
        HEAL_HOST="host",
        TZ="UTC",
    )
    assert done.returncode == 0, done.stderr
    line = site.audit.read_bytes()
    pid = json.loads(line)["pid"]
    ts_text = json.loads(line)["ts"]
    expected = format_event(
        ts_text=ts_text,
        host="host",
        healer="h",
        outcome="success",
        intent="x 1",
        reason="why ü",
        fact=fact,
        scope="x",
        pid=pid,
        trigger="guard",
    )
    assert line == linked(expected, "")


def test_bytes_that_are_no_text_are_shown(site: ShellSite) -> None:
    site.run("HEAL_FACT=$'caf\\xe9 \\xff\\xc3\\xa9'; heal_audit 'x 1' success")
    assert site.events()[0]["fact"] == encodable(os.fsdecode(b"caf\xe9 \xff\xc3\xa9"))


@pytest.mark.parametrize("size", [200, 20_000, 64_000])
def test_one_event_is_one_write(site: ShellSite, size: int) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    log = site.root / "strace"
    fact = f"printf -v HEAL_FACT '%*s' {size} ''; "
    site.run(
        fact + "heal_audit 'x 1' success",
        prefix=[strace, "-f", "-y", "-o", str(log), "-e", "trace=write"],
    )
    writes = [line for line in log.read_text().splitlines() if str(site.audit) in line]
    assert len(writes) == 1
    assert writes[0].endswith(f"= {site.audit.stat().st_size}")


@pytest.mark.parametrize("kind", ["directory", "link", "dangling", "fifo"])
def test_a_log_that_cannot_be_written_lets_nothing_start(site: ShellSite, kind: str) -> None:
    match kind:
        case "directory":
            site.audit.mkdir()
        case "link":
            (site.root / "other").touch()
            site.audit.symlink_to(site.root / "other")
        case "dangling":
            site.audit.symlink_to(site.root / "nowhere")
        case "fifo":
            os.mkfifo(site.audit)
    assert site.act("fix") == "denied record"
    assert site.acts() == 0
    assert not list((site.state / "keys").iterdir())
    assert not [claim for claim in (site.state / "claims").iterdir() if claim.read_bytes()]
    assert not (site.root / "nowhere").exists()


def test_a_log_that_is_rotated_away_is_written_anew(site: ShellSite) -> None:
    done = site.run(
        """
        heal_audit "x 1" success; heal_audit "x 2" success
        mv "$HEAL_AUDIT_FILE" "$HEAL_AUDIT_FILE.1"
        heal_audit "x 3" success
        : >"$HEAL_AUDIT_FILE"
        printf '{"torn' >>"$HEAL_AUDIT_FILE"
        heal_audit "x 4" success
        """
    )
    assert done.returncode == 0, done.stderr
    rotated = (site.root / "audit.jsonl.1").read_text().splitlines()
    assert [json.loads(line)["intent"] for line in rotated] == ["x 1", "x 2"]
    torn, line = site.audit.read_text().splitlines()
    assert (torn, json.loads(line)["intent"]) == ('{"torn', "x 4")


def test_denials_that_repeat_are_two_events(site: ShellSite) -> None:
    site.run(
        """
        heal_act_with_guardrails "fix 1" act good
        for i in 1 2 3 4 5; do heal_act_with_guardrails "fix 1" act good; done
        heal_act_with_guardrails "fix 2" act good
        """
    )
    assert site.outcomes() == [
        "started", "success", "denied", "denied", "started", "success",
    ]  # fmt: skip
    first, last = site.events("denied")
    assert "count" not in first
    assert (last["count"], last["intent"], last["guard"]) == (5, "fix 1", "idempotency")
    assert (first.get("until"), last["until"]) == (None, site.now)


def test_the_chain_outlives_rotations_under_writers_of_two_languages(site: ShellSite) -> None:
    """A legacy writer among them, who takes no lock and carries no hash."""
    count, rotations = many(40, 600), many(8, 100)
    bashes = [
        site.start(
            f"for ((i = 0; i < {count}; i++)); do heal_audit 'sh {index}' success || exit 1; done"
        )
        for index in range(3)
    ]
    context = multiprocessing.get_context("fork")
    pythons = [
        context.Process(target=python_writer, args=(site.audit, f"py{index}", count))
        for index in range(3)
    ]
    for other in pythons:
        other.start()
    rotated = 0
    while rotated < rotations and any(process.poll() is None for process in bashes):
        try:
            if site.audit.stat().st_size < 20_000:
                continue
            with site.audit.open("ab") as legacy:
                legacy.write(b'{"healer":"old","outcome":"success"}\n')
        except FileNotFoundError:
            continue
        for number in range(rotated, 0, -1):
            site.audit.with_name(f"audit.jsonl.{number}").rename(f"{site.audit}.{number + 1}")
        site.audit.rename(f"{site.audit}.1")
        rotated += 1
    for process in bashes:
        _, err = process.communicate(timeout=100 if not LONG else 3_000)
        assert process.returncode == 0, err
    for other in pythons:
        other.join()
    (files,) = logs_of([site.audit])
    walk = verify(files).walk
    assert rotated > 1
    assert walk.findings() == ()
    assert (walk.linked, walk.unlinked, len(walk.starts)) == (6 * count, rotated, 1)


def test_the_chain_goes_on_behind_lines_of_others_and_a_torn_one(site: ShellSite) -> None:
    """Also where they are more than a look back reads, and for a process that comes anew."""
    fill = "x" * 400 + "\n"
    for number in (0, 1, 600, 1200):
        site.run("heal_audit 'x 1' success; heal_audit 'x 2' success")
        with site.audit.open("a") as legacy:
            legacy.write(fill * number + '{"v":1,"ts":"torn')
        python_writer(site.audit, "py", 1)
        with site.audit.open("a") as legacy:
            legacy.write(fill * number)
        site.run(
            f"heal_audit 'x 3' success; printf '%s' '{fill}' >>$HEAL_AUDIT_FILE; heal_audit x y"
        )
    walk = verify([site.audit]).walk
    assert (walk.findings(), walk.linked, len(walk.starts)) == ((), 20, 1)


def test_a_flock_that_always_forks_will_do(site: ShellSite) -> None:
    """``--no-fork`` is younger than util-linux 2.31."""
    old = site.root / "old"
    old.mkdir()
    (old / "flock").write_text(
        f'#!/bin/sh\n[ "$1" != -F ] || exit 64\nexec {shutil.which("flock")} "$@"\n'
    )
    (old / "flock").chmod(0o755)
    done = site.run(
        "heal_audit 'x 1' success && heal_audit 'x 2' success", PATH=f"{old}:{os.environ['PATH']}"
    )
    assert done.returncode == 0, done.stderr
    walk = verify([site.audit]).walk
    assert (walk.findings(), walk.linked) == ((), 2)


def test_a_log_that_is_rotated_at_every_look_is_given_up_in_time(site: ShellSite) -> None:
    """The time is for all tries together, and each waits for the lock no longer than is left."""
    done = site.run(
        """
        up=0
        _heal_ticks() { _heal_num=$((up += 2000)); }
        eval "real$(declare -f _heal_hold_log)"
        _heal_hold_log() { echo "$1" && real_heal_hold_log "$1" && mv "$log" "$log.$1"; }
        log=$HEAL_AUDIT_FILE
        heal_init
        _heal_call _heal_open_log || echo "$_heal_why"
        """
    )
    assert done.stdout.split("\n") == ["5000", "3000", "1000", "is replaced all the time", ""]
    assert len(list(site.root.glob("audit.jsonl.*"))) == 3


def test_runs_of_denials_end_in_the_order_of_their_last(site: ShellSite) -> None:
    """As from Python, so that one log reads like the other."""
    site.run(
        f'heal_init; echo "on {NOON} 0 ana" >"$HEAL_STATE_DIR/hold"\n'
        'for it in e d c b a e d c b a e; do heal_act_with_guardrails "$it 1" act good; done\n'
        "_heal_call _heal_denials_over"
    )
    ended = [(event["scope"], event["count"]) for event in site.events() if "count" in event]
    assert ended == [("d", 2), ("c", 2), ("b", 2), ("a", 2), ("e", 3)]


@pytest.mark.parametrize(
    "outcome",
    [
        'x","outcome":"operator-reset',
        'a"b',
        "back\\slash",
        "two words",
        "tab\there",
        "é",
        "e" * 128,
    ],
)
def test_an_outcome_of_the_callers_is_text_like_the_others(site: ShellSite, outcome: str) -> None:
    done = site.run('heal_audit "fix 1" "$OUTCOME" why', OUTCOME=outcome)
    assert (done.returncode, done.stderr) == (0, "")
    (event,) = site.events()
    assert (event["outcome"], event["intent"], event["reason"]) == (outcome, "fix 1", "why")
    raw = site.audit.read_bytes()
    assert b'"outcome":"operator-' not in raw
    like_python = format_event(
        ts_text=event["ts"], host=event["host"], healer="h", outcome=outcome, intent="fix 1",
        reason="why", scope="fix", pid=event["pid"], trigger="guard",
    )  # fmt: skip
    assert raw == linked(like_python, "")


@pytest.mark.parametrize("outcome", ["operator-reset", "operator-", "x" * 129])
def test_an_outcome_that_is_not_the_callers_to_write_is_refused(
    site: ShellSite, outcome: str
) -> None:
    done = site.run('heal_audit "fix 1" "$OUTCOME" why', OUTCOME=outcome)
    assert done.returncode == 1
    assert "heal_audit: " in done.stderr
    assert site.events() == []
