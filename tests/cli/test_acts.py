"""The operator's acts: done, audited with who and why, or refused with nothing changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.cli.program import Site

CB = "worker-queue-healer/cb/restart_worker"


def _fields(site: Site, path: str) -> list[str]:
    return (site.state / path).read_text(encoding="ascii").split()


def _picture(site: Site) -> dict[str, bytes]:
    return {
        str(path.relative_to(site.root)): path.read_bytes()
        for path in sorted(site.root.rglob("*"))
        if path.is_file() and path.name != ".guard"
    }


def test_trip_forces_a_scope_open_for_a_time(site: Site) -> None:
    done = site.run(
        *("trip", "worker-queue-healer", "--scope", "restart_worker", "--for", "10m"),
        *("--reason", "deploy 5121", "--incident", "INC-4711"),
    )
    assert done.returncode == 0, done.stderr
    failures, last_failure, limit, cooldown, state, until = _fields(site, CB)
    assert state == "forced-open"
    assert int(failures) >= int(limit)
    assert 590 <= int(until) - time.time() <= 601
    assert int(last_failure) == int(until) - int(cooldown)
    event = site.events()[-2]
    assert event["outcome"] == "operator-trip"
    assert (event["healer"], event["scope"]) == ("worker-queue-healer", "restart_worker")
    assert (event["reason"], event["incident"]) == ("deploy 5121", "INC-4711")
    assert event["operator"]["uid"] == os.getuid()
    assert event["operator"]["via"] == "cli"
    assert event["before"] != event["after"]


def test_the_last_act_is_taken_back_from_another_session_if_nothing_changed_since(
    site: Site,
) -> None:
    before = (site.state / CB).read_bytes()
    words = ("worker-queue-healer", "--reason", "too early")
    assert "no act" in site.run("undo", *words).stderr
    done = site.run("trip", "worker-queue-healer", "--scope", "restart_worker", "--reason", "x")
    act = done.stdout.partition("--act ")[2].split()[0]
    wrong = site.run("undo", *words, "--act", "000000")
    assert (wrong.returncode, f"that is {act}, trip" in wrong.stderr) == (1, True)
    tripped = (site.state / CB).read_bytes()
    (site.state / CB).write_bytes(tripped.replace(b"forced-open", b"open"))
    changed = site.run("undo", *words, "--act", act)
    assert (changed.returncode, "changed underneath you" in changed.stderr) == (1, True)
    (site.state / CB).write_bytes(tripped)
    undone = site.run("undo", *words, "--act", act)
    assert (undone.returncode, undone.stderr) == (0, "")
    assert undone.stdout.startswith("✔ took back trip worker-queue-healer")
    assert (site.state / CB).read_bytes() == before
    assert [event["outcome"] for event in site.events()[-2:]] == ["operator-undo", "operator-done"]
    assert site.run("undo", *words).returncode == 1, "it is taken back once"


def test_an_act_on_a_scope_that_is_not_utf8_says_that_it_was_done(site: Site) -> None:
    """The scopes of a legacy healer are names of files, which are bytes."""
    file = site.state / "worker-queue-healer" / "cb" / os.fsdecode(b"caf\xe9")
    (site.state / CB).rename(file)
    before = file.read_bytes()
    done = site.run("reset", "worker-queue-healer", "--reason", "rolled back")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_text().split()[4] == "half-open"
    assert site.events()[-1]["outcome"] == "operator-done"
    undone = site.run("undo", "worker-queue-healer", "--reason", "too early")
    assert (undone.returncode, undone.stderr) == (0, "")
    assert file.read_bytes() == before


def test_going_alone_is_told_on_the_screen_and_in_the_log(site: Site) -> None:
    config = site.root / "healconsole.toml"
    config.write_text('[operators]\nfour_eyes = ["reset"]\n')
    words = ("worker-queue-healer", "--config", str(config), "--reason", "nobody answers")
    assert "nobody waits" in site.run("approve").stdout
    assert "wants a second person" in site.run("reset", *words).stderr
    assert "BREAK-GLASS" not in site.run("trip", *words, "--break-glass").stdout
    assert site.events()[-2]["reason"] == "nobody answers", "a trip wants one person only"
    undone = site.run("undo", *words, "--break-glass")
    assert (undone.returncode, "BREAK-GLASS" in undone.stdout) == (0, True), undone.stderr
    assert site.events()[-2]["reason"] == "BREAK-GLASS, no second person: nobody answers"


def test_what_somebody_else_could_have_put_there_is_not_written_back(site: Site) -> None:
    words = ("undo", "worker-queue-healer", "--reason", "x")
    assert site.run("trip", "worker-queue-healer", "--reason", "x").returncode == 0
    kept = site.state / ".undo" / "worker-queue-healer"
    assert kept.stat().st_mode & 0o7777 == 0o600
    good = _picture(site)
    whole = kept.read_bytes()
    for spoil in (
        lambda: kept.chmod(0o622),
        lambda: kept.write_bytes(whole[:-4]),
        lambda: kept.write_bytes(whole.replace(b'"hold"', b'"../../hold"')),
        lambda: kept.write_bytes(whole.replace(b"worker-queue-healer", b"disk-reaper")),
        lambda: kept.parent.chmod(0o777),
    ):
        spoil()
        done = site.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        kept.chmod(0o600)
        kept.write_bytes(whole)
        assert _picture(site) == good


def test_trip_of_a_whole_healer_holds_it_and_reset_releases_it(site: Site) -> None:
    assert site.run("trip", "worker-queue-healer", "--reason", "war room").returncode == 0
    assert _fields(site, "worker-queue-healer/hold")[0] == "on"
    assert _fields(site, CB)[4:] == ["forced-open", "0"]
    (healer,) = site.json("status", "worker-queue-healer")["healers"]
    assert healer["verdict"]["guard"] == "hold"

    assert site.run("reset", "worker-queue-healer", "--reason", "found it").returncode == 0
    assert _fields(site, CB)[4:] == ["half-open", "0"]
    (healer,) = site.json("status", "worker-queue-healer")["healers"]
    assert healer["verdict"]["allow"] is True


def test_release_takes_back_the_hold_only(site: Site) -> None:
    assert site.run("trip", "worker-queue-healer", "--reason", "war room").returncode == 0
    assert site.run("release", "worker-queue-healer", "--reason", "done").returncode == 0
    assert site.events()[-2]["outcome"] == "operator-release"
    assert _fields(site, CB)[4] == "forced-open"
    (healer,) = site.json("status", "worker-queue-healer")["healers"]
    assert healer["verdict"]["guard"] == "circuit"


def test_reset_to_closed(site: Site) -> None:
    done = site.run("reset", "worker-queue-healer", "--to", "closed", "--reason", "by hand")
    assert done.returncode == 0, done.stderr
    assert _fields(site, CB) == ["0", "0", "3", "600", "closed", "0"]


def test_reset_mends_a_corrupt_file_and_keeps_its_bytes(site: Site) -> None:
    done = site.run("reset", "broken", "--to", "closed", "--reason", "disk was full")
    assert done.returncode == 0, done.stderr
    assert _fields(site, "broken/cb/reload")[4] == "closed"
    kept = list((site.state / "broken" / "aside").iterdir())
    assert [path.read_bytes() for path in kept] == [b"08 nan\n"]


def test_trip_stops_a_legacy_healer_by_the_fields_that_it_reads(site: Site) -> None:
    done = site.run("trip", "legacy-mailq", "--reason", "mail relay is being moved")
    assert done.returncode == 0, done.stderr
    failures, last_failure = _fields(site, "legacy-mailq/cb/flush queue=mx1")[:2]
    assert int(failures) >= 3
    assert int(last_failure) == 32_503_680_000


def test_dry_run_is_turned_on_and_off_through_the_override(site: Site) -> None:
    assert site.run("dry-run", "disk-reaper", "off", "--reason", "looks right").returncode == 0
    assert _fields(site, "disk-reaper/dry-run")[0] == "off"
    assert site.events()[-2]["outcome"] == "operator-dry-run"
    assert site.run("dry-run", "disk-reaper", "on", "--reason", "not yet").returncode == 0
    assert _fields(site, "disk-reaper/dry-run")[0] == "on"


def test_dry_run_of_a_legacy_healer_is_refused_with_the_way_to_do_it(site: Site) -> None:
    before = _picture(site)
    done = site.run("dry-run", "legacy-mailq", "on", "--reason", "x")
    assert done.returncode == 1
    assert "DRY_RUN" in done.stderr
    assert _picture(site) == before


@pytest.mark.parametrize(
    "words",
    [
        ("trip", "worker-queue-healer"),
        ("reset", "worker-queue-healer"),
        ("dry-run", "disk-reaper", "off"),
        ("release", "worker-queue-healer"),
        ("run", "worker-queue-healer"),
    ],
    ids=lambda words: words[0],
)
def test_an_empty_reason_is_refused_and_nothing_is_changed(
    site: Site, words: tuple[str, ...]
) -> None:
    before = _picture(site)
    done = site.run(*words, "--reason", " \t")
    assert done.returncode == 1
    assert "reason" in done.stderr
    assert _picture(site) == before


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_read_only_refuses_every_act(site: Site, how: str) -> None:
    before = _picture(site)
    done = site.run(
        *("trip", "worker-queue-healer", "--reason", "x"),
        *(["--read-only"] if how == "flag" else []),
        environment={"HEALCONSOLE_READ_ONLY": "1"} if how == "environment" else {},
    )
    assert done.returncode == 1
    assert "read-only" in done.stderr
    assert _picture(site) == before


def test_an_act_that_cannot_be_audited_is_not_done(site: Site) -> None:
    site.audit.unlink()
    site.audit.mkdir()
    before = (site.state / CB).read_bytes()
    done = site.run("reset", "worker-queue-healer", "--reason", "x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "audit" in done.stderr
    assert (site.state / CB).read_bytes() == before


def test_an_unknown_scope_is_held_all_the_same(site: Site) -> None:
    done = site.run("trip", "worker-queue-healer", "--scope", "never_seen", "--reason", "x")
    assert done.returncode == 0, done.stderr
    assert _fields(site, "worker-queue-healer/cb/never_seen")[4] == "forced-open"


def test_a_symbolic_link_in_place_of_a_breaker_is_not_followed(site: Site, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="ascii")
    (site.state / CB).unlink()
    (site.state / CB).symlink_to(victim)
    site.run("reset", "worker-queue-healer", "--reason", "x")
    assert victim.read_text(encoding="ascii") == "precious"
