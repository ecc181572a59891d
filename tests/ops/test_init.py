"""``healconsole init``: each file that it writes passes its own checker, and the healer heals."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.kit import LANGUAGES as KNOWN
from healconsole.core.kit import KitError, checked, kit_files
from healconsole.stores.kitfiles import rendered
from tests.engine.sites import LONG, many
from tests.ops.kits import BIN, LANGUAGES, NAME, Made, call, made, passes, tool

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=LANGUAGES)
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The kit of a healer in each language."""
    return made(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def any_kit(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A kit, for what is the same in each language."""
    return made(tmp_path_factory.mktemp("kit"), "bash")


def test_every_place_is_filled_and_every_language_is_known(kit: Made) -> None:
    assert KNOWN == LANGUAGES
    for path, text, _ in rendered(kit.kit):
        assert not re.search(r"@[A-Z][A-Z_]*@", text), path
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
    for file in kit_files(kit.kit):
        assert stat.S_IMODE((kit.folder / file.path).stat().st_mode) == file.mode


def test_the_healers_own_test_passes(kit: Made) -> None:
    if kit.kit.language == "python":
        said = passes(sys.executable, "-m", "unittest", "-v", kit.kit.test[:-3], cwd=kit.folder)
        assert "Ran 3 tests" in said
    else:
        said = passes(kit.path(kit.kit.test), cwd="/")
        assert re.search(r"[1-9][0-9]* tests, 0 failed", said)


def test_the_healers_own_test_can_fail(kit: Made, tmp_path: Path) -> None:
    """A detector that tells an error as a zero does not get past it."""
    if kit.kit.language != "bash" and not LONG:
        pytest.skip("the long variant: HEALCONSOLE_LONG=1")
    spoiled = kit.text(kit.kit.program).replace("stuck_jobs=ERROR", "stuck_jobs=0")
    (tmp_path / kit.kit.program).write_text(spoiled.replace('stuck_jobs="ERROR"', "stuck_jobs=0"))
    (tmp_path / kit.kit.test).write_text(kit.text(kit.kit.test))
    if kit.kit.language == "python":
        done = call(sys.executable, "-m", "unittest", kit.kit.test[:-3], cwd=tmp_path)
    else:
        done = call("bash", str(tmp_path / kit.kit.test))
    assert done.returncode != 0
    assert re.search("FAILED|not ok", done.stdout)


def test_the_shell_is_clean(kit: Made) -> None:
    scripts = [str(path) for path in kit.folder.glob("*.sh") if path.name != "install-here.sh"]
    assert kit.path("install.sh") in scripts
    passes(tool("shellcheck"), *scripts)
    passes(tool("shfmt"), "-i", "2", "-ci", "-d", *scripts)


def test_the_python_is_clean(tmp_path_factory: pytest.TempPathFactory) -> None:
    kit = made(tmp_path_factory.mktemp("python"), "python")
    rules = "E,F,W,I,N,B,UP,SIM,RUF,ANN,PL,PTH,TRY,RET,C4,PERF,FURB"
    passes(
        tool("ruff"), "check", "--isolated", "--no-cache", "--line-length", "100",
        "--select", rules, "--ignore", "PLR2004", ".", cwd=kit.folder,
    )  # fmt: skip
    passes(
        tool("ruff"), "format", "--isolated", "--no-cache", "--line-length", "100", "--diff",
        ".", cwd=kit.folder,
    )  # fmt: skip
    passes(
        tool("mypy"), "--strict", "--config-file", "", "--cache-dir",
        str(ROOT / ".mypy_cache" / "kit"),
        kit.kit.program, kit.kit.test, cwd=kit.folder,
    )  # fmt: skip


def test_systemd_takes_the_unit(kit: Made) -> None:
    kit.install()
    unit = kit.path(f"systemd/{NAME}.service")
    assert passes(tool("systemd-analyze"), "verify", unit) == ""
    # In tenths; 10.0 is a service without any hardening.
    passes(
        tool("systemd-analyze"), "security", "--offline=yes", "--threshold=25", "--no-pager", unit
    )


def system_calls(group: str, groups: dict[str, set[str]]) -> set[str]:
    """The calls of a group of systemd's, with those of the groups in it."""
    return {
        call
        for word in groups[group]
        for call in (system_calls(word, groups) if word.startswith("@") else {word})
    }


def test_the_unit_allows_whatever_a_cycle_does(kit: Made, tmp_path: Path) -> None:
    """Its system calls, and no page that can be written and run."""
    groups: dict[str, set[str]] = {}
    for line in passes(tool("systemd-analyze"), "--no-pager", "syscall-filter").splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#"):
            group.add(line.strip())
    allowed = system_calls("@system-service", groups) - system_calls("@privileged", groups)
    assert {"flock", "pidfd_open", "fsync"} <= allowed
    kit.install()
    (tmp_path / "textfiles").mkdir()
    spool, trace = tmp_path / "spool", tmp_path / "trace"
    spool.mkdir()
    for number in range(11):
        passes("touch", "-d", "3 hours ago", str(spool / f"job{number}"))
    entry = tomllib.loads((kit.host / "etc" / "healers.d" / f"{NAME}.toml").read_text())
    environ = {
        **{key: text for key, text in entry["environment"].items() if key != "DRY_RUN"},
        "SPOOL": str(spool),
        "HEAL_TEXTFILE_DIR": str(tmp_path / "textfiles"),
        "HEAL_STATE_DIR": str(tmp_path / "state"),
        "HEAL_AUDIT_FILE": str(tmp_path / "audit.jsonl"),
        "HEAL_SETTLE": "0",
    }
    words = [f"{name}={text}" for name, text in environ.items()]
    passes(tool("strace"), "-f", "-qq", "-o", str(trace), "env", "-i", *words, *entry["command"])
    assert len(list((spool / "quarantine").iterdir())) == 11
    assert (tmp_path / "textfiles" / f"heal_{NAME}.prom").is_file()
    text = trace.read_text(errors="replace")
    called = set(re.findall(r"^[0-9]+ +([a-z][a-z0-9_]*)\(", text, re.MULTILINE))
    assert {"execve", "flock"} <= called
    # Those that the kernel does itself, or that a filter cannot see.
    assert called - allowed <= {"restart_syscall"}
    assert not re.search(r"mmap\(.*PROT_WRITE\|PROT_EXEC|mprotect\(.*PROT_EXEC", text)


def test_the_unit_does_not_hide_the_processes_whose_claims_it_judges(kit: Made) -> None:
    unit = kit.text(f"systemd/{NAME}.service")
    settings = [line for line in unit.splitlines() if not line.startswith("#")]
    assert not [line for line in settings if re.match("ProtectProc|ProcSubset|PrivatePIDs", line)]
    access = "all" if kit.kit.language == "bash" else "main"
    assert f"NotifyAccess={access}" in settings
    for wanted in ("Restart=on-failure", "RestartSec=10s", "WatchdogSec=3min", "KillMode=mixed"):
        assert wanted in settings


def test_sudo_takes_the_operators_verbs_and_nothing_that_leads_past_the_log(any_kit: Made) -> None:
    path = any_kit.path(f"sudoers.d/heal-{NAME}")
    assert "parsed OK" in passes(tool("visudo"), "-cf", path)
    # What a line allows, by its pattern: a POSIX one that says the same to Python.
    patterns = [
        re.compile(found)
        for found in re.findall(r"healconsole (\^.*\$)(?:, \\)?$", any_kit.text(path), re.MULTILINE)
    ]
    assert len(patterns) == 3

    def allowed(arguments: str) -> bool:
        return any(pattern.search(arguments) for pattern in patterns)

    for said in (
        f"trip {NAME} --for 10m --reason looking into the queue - for now --incident INC-4711",
        f"reset {NAME} --to half-open --reason=rolled back, mostly",
        f"dry-run {NAME} on --reason rehearse",
        f"release {NAME} --reason done",
        f"run {NAME} --reason probe",
        f"undo {NAME} --act=0a1b2c --reason too early",
        "approve",
        "approve 3f9a1c --as-shown=0123abcd --reason=seen the queue - it drains",
        "decline 3f9a1c --reason not yet",
    ):
        assert allowed(said), said
    for said in (
        f"trip {NAME} --reason x --audit /dev/null",
        f"trip {NAME} --audit=/dev/null --reason x",
        f"--audit /dev/null trip {NAME} --reason x",
        f"reset {NAME} --reason x --state-root /tmp/x",
        f"reset {NAME} --reason x --config /tmp/x",
        f"reset {NAME} --reason x -- --audit /dev/null",
        f"reset {NAME}x --reason x",
        "reset another --reason x",
        "approve 3f9a1c --reason x --audit /dev/null",
        "decline 3f9a1c --reason x --config /tmp/x",
        "decline",
        "decline ../x --reason x",
        f"dry-run {NAME} maybe --reason x",
        "gc --age 0",
        "heal /tmp/evil.toml",
        "guard --healer x --intent y -- rm",
    ):
        assert not allowed(said), said


def test_prometheus_takes_the_rules_and_their_tests_pass(any_kit: Made) -> None:
    folder = any_kit.folder / "prometheus"
    said = passes(tool("promtool"), "check", "rules", f"heal-{NAME}.yml", cwd=folder)
    assert "5 rules found" in said
    passes(tool("promtool"), "test", "rules", f"heal-{NAME}.test.yml", cwd=folder)
    text = any_kit.text(f"prometheus/heal-{NAME}.yml")
    for annotation in ("summary:", "description:", "runbook_url:"):
        assert text.count(annotation) == text.count("- alert:") == 5


def test_the_rules_tests_can_fail(any_kit: Made, tmp_path: Path) -> None:
    """Each rule is held by a test: one that never fires, or fires too early, fails them."""
    tests = any_kit.text(f"prometheus/heal-{NAME}.test.yml")
    rules = any_kit.text(f"prometheus/heal-{NAME}.yml")
    (tmp_path / f"heal-{NAME}.test.yml").write_text(tests)
    spoiled = (
        ("for: 15m", "for: 2m"), ("> 300", "> 30000"), ("for: 10m", "for: 30m"),
        ("open|forced-open", "open"), ("> 5", "> 500"), ("== 1\n", "== 2\n"),
    )  # fmt: skip
    for before, after in spoiled[: many(1, len(spoiled))]:
        assert before in rules
        (tmp_path / f"heal-{NAME}.yml").write_text(rules.replace(before, after))
        done = call(tool("promtool"), "test", "rules", f"heal-{NAME}.test.yml", cwd=tmp_path)
        assert done.returncode != 0, (before, after)


def test_the_dashboard_asks_what_prometheus_can_answer(any_kit: Made, tmp_path: Path) -> None:
    board = json.loads(any_kit.text(f"grafana/heal-{NAME}.json"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    metrics = {name for expr in asked for name in re.findall(r"heal_[a-z_]+", expr)}
    assert metrics == {
        *("heal_last_cycle_timestamp_seconds", "heal_cycles_total", "heal_actions_total"),
        *("heal_denials_total", "heal_breaker_state", "heal_tokens", "heal_dry_run"),
    }
    assert all(panel["title"] and panel["description"] for panel in board["panels"])
    rules = [
        {"record": f"board:panel{number}", "expr": expr.replace("$instance", ".*")}
        for number, expr in enumerate(asked)
    ]
    file = tmp_path / "board.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    passes(tool("promtool"), "check", "rules", str(file))


def test_the_console_takes_the_catalog_entry(kit: Made) -> None:
    entry = tomllib.loads(kit.text(f"healers.d/{NAME}.toml"))
    assert entry["command"][-1] == "--once"
    assert entry["stage"] == "dev"
    assert entry["environment"]["DRY_RUN"] == "true"


def test_installed_it_heals_beats_and_leaves_the_doctor_nothing_to_say(
    kit: Made, tmp_path: Path
) -> None:
    """One guarded cycle by the catalog's own command, on a host that is all made by the kit."""
    kit.install()
    host = kit.host
    for folder in ("lib", "log", "textfiles"):
        (host / folder).mkdir(exist_ok=True)
    spool = tmp_path / "spool"
    spool.mkdir()
    entry = tomllib.loads((host / "etc" / "healers.d" / f"{NAME}.toml").read_text())
    for number in range(11):
        job = spool / f"job{number}"
        job.touch()
        passes("touch", "-d", "3 hours ago", str(job))
    environ = {
        **entry["environment"],
        "DRY_RUN": "false",
        "SPOOL": str(spool),
        "HEAL_STATE_ROOT": kit.kit.state_root,
        "HEAL_AUDIT_FILE": kit.kit.audit,
        "HEAL_SETTLE": "0",
    }
    done = subprocess.run(
        entry["command"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(list((spool / "quarantine").iterdir())) == 11
    lines = Path(kit.kit.audit).read_text(encoding="utf-8").splitlines()
    outcomes = [json.loads(line)["outcome"] for line in lines]
    assert outcomes == ["started", "success"]
    metrics = (host / "textfiles" / f"heal_{NAME}.prom").read_text()
    assert f'heal_actions_total{{healer="{NAME}",outcome="success"}} 1' in metrics
    passes(tool("promtool"), "check", "metrics", said=metrics)

    empty = tmp_path / "empty.toml"
    empty.touch()
    examined = call(
        str(BIN / "healconsole"), "doctor", NAME, "--json",
        "--state-root", kit.kit.state_root, "--audit", kit.kit.audit,
        "--catalog", kit.kit.catalog, "--config", str(empty),
        "--units", f"{host}/etc/systemd/system", "--tmpfiles", f"{host}/etc/tmpfiles.d",
        "--logrotate", f"{host}/etc/logrotate.d", "--rules", kit.path("prometheus"),
        "--cron", str(tmp_path), "--disk-free", "0",
    )  # fmt: skip
    found = json.loads(examined.stdout)
    assert found["findings"] == []
    assert found["healers"] == [NAME]
    assert examined.returncode == 0


def test_the_command_says_what_it_wrote_and_overwrites_nothing(tmp_path: Path) -> None:
    program = str(BIN / "healconsole")
    (tmp_path / "empty").touch()
    words = ("init", "disk-reaper.v2", "--lang", "toml", "--config", "empty")
    said = passes(program, *words, cwd=tmp_path)
    assert "disk-reaper.v2/disk-reaper.v2.toml\n" in said
    written = [path for path in (tmp_path / "disk-reaper.v2").rglob("*") if path.is_file()]
    assert len(written) == len(said.splitlines()) - 2 == 13
    last = said.splitlines()[-1]
    assert f"its files name {BIN}, catalog /etc/heal/healers.d" in last, "whose paths go to hosts"
    again = call(program, *words, cwd=tmp_path)
    assert again.returncode == 1
    assert "is there already; nothing was written" in again.stdout
    (tmp_path / "disk-reaper.v2" / "disk-reaper.v2.toml").unlink()
    assert call(program, *words, cwd=tmp_path).returncode == 1  # and takes back what it had made
    assert not (tmp_path / "disk-reaper.v2" / "disk-reaper.v2.toml").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("../x", "--lang", "bash"), 2, "is no name for a healer"),
        (("x", "--lang", "perl"), 2, "invalid choice"),
        (("x", "--lang", "bash", "--prefix", "/a b"), 2, "--prefix must be an absolute path"),
        (("x", "--lang", "bash", "--owner", "a b"), 2, "--owner must be one word"),
        (("x", "--lang", "bash", "--runbook", "javascript:x"), 2, "--runbook must be an http"),
        (("x", "--lang", "bash", "--runbook", "https://a/'$(x)"), 2, "--runbook must be an http"),
        (("x", "--lang", "bash", "--read-only"), 1, "nothing was written"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    done = call(str(BIN / "healconsole"), "init", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout.count("\n")) == (code, 1)
    assert says in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["9lives", "a", "Queue_v2", "x" * 64, "class", "a.b-c_d"])
def test_any_name_of_a_healer_makes_a_kit(any_kit: Made, name: str) -> None:
    for language in LANGUAGES:
        kit = checked(replace(any_kit.kit, name=name, language=language))
        files = {path: text for path, text, _ in rendered(kit)}
        if language == "python":
            compile(files[kit.program], kit.program, "exec")
            compile(files[kit.test], kit.test, "exec")
        tomllib.loads(files[f"healers.d/{name}.toml"])
        json.loads(files[f"grafana/heal-{name}.json"])
    with pytest.raises(KitError):
        checked(replace(any_kit.kit, name=f"{name}/"))
