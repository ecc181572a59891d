"""heal-sh, completion, guard, heal and run, as a person's crontab and shell use them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.cli.program import Site


def test_heal_sh_prints_the_path_of_a_library_that_bash_can_source(site: Site) -> None:
    done = site.run("heal-sh", options=False)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.removesuffix("\n"))
    assert path.name == "heal.sh"
    subprocess.run(("bash", "-n", str(path)), check=True, timeout=30)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(site: Site, shell: str) -> None:
    done = site.run("completion", shell, options=False)
    assert done.returncode == 0, done.stderr
    for word in ("status", "dry-run", "half-open", "state-root"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("re",), {"reset", "release", "report", "resume"}),
        (("reset", "--to", ""), {"half-open", "closed"}),
        (("trip", "wor"), {"worker-queue-healer"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_completion_for_bash_completes(
    site: Site, words: tuple[str, ...], offered: set[str]
) -> None:
    hostile = site.state / "wor$(touch canary)"
    hostile.mkdir()
    script = site.root / "completion.bash"
    script.write_text(site.run("completion", "bash", options=False).stdout, encoding="utf-8")
    line = " ".join(f"'{word}'" for word in ("healconsole", *words))
    before = ("healconsole", *words)[-2]
    asked = (
        f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; COMP_TYPE=9; "
        "function=$(complete -p healconsole | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        f"$function healconsole '{words[-1]}' '{before}'; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ("bash", "-c", asked),
        env={**site.environment, "HEAL_STATE_ROOT": str(site.state)},
        cwd=site.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert {word.strip() for word in done.stdout.splitlines()} == offered, done.stderr
    assert not (site.root / "canary").exists()


def test_completion_without_its_package_is_one_clear_line(site: Site) -> None:
    blocked = (
        "import sys; sys.modules['shtab'] = None; from healconsole.cli.main import main; "
        "sys.exit(main(['completion', 'bash']))"
    )
    done = subprocess.run(
        (sys.executable, "-c", blocked), capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "healconsole[completion]" in done.stderr


def test_guard_passes_output_and_exit_code_through_and_acts_once(site: Site) -> None:
    guarded = (
        *("guard", "--healer", "cron-job", "--intent", "rotate what=logs", "--settle", "0"),
        *site.options,
    )
    first = site.run(*guarded, "--", "sh", "-c", "echo out; echo err >&2", options=False)
    assert first.returncode == 0, first.stderr
    assert first.stdout == "out\n"
    assert "err" in first.stderr
    again = site.run(*guarded, "--", "sh", "-c", "echo again", options=False)
    assert again.returncode != 0
    assert "again" not in again.stdout
    outcomes = [e["outcome"] for e in site.events() if e["healer"] == "cron-job"]
    assert outcomes == ["started", "success", "denied"]


def test_guard_gives_the_exit_code_of_a_failed_command(site: Site) -> None:
    done = site.run(
        *("guard", "--healer", "cron-job", "--intent", "rotate", "--settle", "0", *site.options),
        *("--", "sh", "-c", "exit 7"),
        options=False,
    )
    assert done.returncode == 7
    assert site.events()[-1]["outcome"] == "action-failed"


def _declare(site: Site, act: str = "true") -> Path:
    file = site.root / "declared.toml"
    file.write_text(
        f"""name = "declared"
detect = ["sh", "-c", "echo depth=5"]
decide = ["sh", "-c", "echo drain queue=a"]
act = ["sh", "-c", "{act} && touch {site.root}/acted"]
verify = ["test", "-e", "{site.root}/acted"]

[policy]
settle = 0
""",
        encoding="utf-8",
    )
    return file


def test_heal_runs_a_declared_healer_once(site: Site) -> None:
    done = site.run("heal", str(_declare(site)), "--once")
    assert done.returncode == 0, done.stderr
    assert (site.root / "acted").exists()
    assert site.events()[-1]["outcome"] == "success"


def test_heal_plan_spends_nothing(site: Site) -> None:
    done = site.run("heal", str(_declare(site)), "--plan")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["fact"], plan["intent"]) == ("depth=5", "drain queue=a")
    assert plan["verdict"]["allow"] is True
    assert not (site.root / "acted").exists()


def _catalogue(site: Site, act: str = "true") -> None:
    declared = _declare(site, act)
    (site.state / "declared").mkdir()
    folder = site.root / "healers.d"
    folder.mkdir(mode=0o755)
    words = [sys.executable, "-m", "healconsole", "heal", str(declared), "--once"]
    options = ["--state-root", str(site.state), "--audit", str(site.audit)]
    (folder / "declared.toml").write_text(
        f"command = {json.dumps(words + options)}\n", encoding="utf-8"
    )


def test_run_plans_then_runs_one_guarded_cycle(site: Site) -> None:
    _catalogue(site)
    done = site.run("run", "declared", "--reason", "probe", "--incident", "INC-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "depth=5" in done.stdout
    assert "drain queue=a" in done.stdout
    assert "success" in done.stdout
    asked = next(event for event in site.events() if event["outcome"] == "operator-run")
    assert (asked["reason"], asked["incident"]) == ("probe", "INC-1")
    assert site.events()[-1]["outcome"] == "success"


def test_run_is_denied_by_the_guardrails_and_does_nothing(site: Site) -> None:
    _catalogue(site)
    assert site.run("run", "declared", "--reason", "first").returncode == 0
    (site.root / "acted").unlink()
    done = site.run("run", "declared", "--reason", "second")
    assert done.returncode == 1
    assert "idempotency" in done.stdout
    assert not (site.root / "acted").exists()


def test_run_without_a_command_says_where_it_belongs(site: Site) -> None:
    done = site.run("run", "worker-queue-healer", "--reason", "x")
    assert done.returncode == 1
    assert "worker-queue-healer.toml" in done.stderr


def test_ctrl_c_asks_a_run_to_stop_and_its_outcome_is_recorded(site: Site, start: Start) -> None:
    _catalogue(site, f"until test -e {site.root}/go; do sleep 0.02; done")
    process = start("run", "declared", "--reason", "probe")
    assert process.stdout is not None
    while "ACT" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "asked to stop" in process.stderr.readline()
    (site.root / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert site.events()[-1]["healer"] == "declared"
    assert site.events()[-1]["outcome"] not in {"started", "operator-run"}
