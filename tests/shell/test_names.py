"""The names that heal.sh makes local, and a caller who has made one of them readonly."""

from __future__ import annotations

import re

import pytest

from tests.shell.bashes import SHELL, ShellSite

PARTS = {
    "_heal_names": "text files policy state decide chain audit lock commit act legacy",
    "_heal_names_main": "metrics watchdog measure record loop",
    "_heal_names_fleet": "redis fleet lease",
}
_TEXTS = re.compile(r"""\$'(?:[^'\\]|\\.)*'|'[^']*'|"(?:[^"\\]|\\.)*\"""")
_VALUES = re.compile(
    r"\$\(\([^()]*(?:\([^()]*\)[^()]*)*\)\)"  # arithmetic, with brackets in it
    r"|\$\{[^{}]*\}|\([^()]*\)"
)


def made_local(part: str) -> set[str]:
    """The names after ``local`` in a part of the library, but for its own and the environment's."""
    found: set[str] = set()
    for line in (SHELL / "heal.d" / f"{part}.sh").read_text().splitlines():
        said = re.match(r"\s*local (?!-$)(.*)", line)
        if said is None:
            continue
        code, before = _TEXTS.sub("Q", said[1]), ""
        while code != before:
            code, before = _VALUES.sub("Q", code), code
        assert not {"'", '"'} & set(code), f"{part}.sh: a local over several lines: {line}"
        code = re.split(r" && | \|\| |;| #", code)[0]
        found |= {name[0] for word in code.split() if (name := re.match(r"[A-Za-z_]\w*", word))}
    return {name for name in found if not name.startswith(("_heal_", "HEAL_"))}


def test_the_lists_are_what_the_parts_make_local(site: ShellSite) -> None:
    shown = site.run("; ".join(f"echo ${name}" for name in PARTS)).stdout.splitlines()
    wanted = [{n for part in parts.split() for n in made_local(part)} for parts in PARTS.values()]
    core, *more = [set(names.split()) for names in shown]
    assert core == wanted[0]
    assert more == [names - core for names in wanted[1:]]


@pytest.mark.parametrize("name", ["rc", "child=5", "intent", "IFS", "text=x"])
def test_a_readonly_name_lets_nothing_start(site: ShellSite, name: str) -> None:
    done = site.run(
        f'readonly {name}; heal_act_with_guardrails "fix 1" act good; echo "$? and on"\n'
        "heal_rate_check fix 1 3 || echo denied; heal_cb_record fix failure || echo unrecorded"
    )
    assert done.stdout == "1 and on\ndenied\nunrecorded\n", done.stderr
    asked = f"the variable {name.partition('=')[0]} is readonly, and heal.sh needs that name"
    assert done.stderr.count(asked) == 3
    assert site.acts() == 0
    assert not site.state.exists()


@pytest.mark.parametrize(
    "name",
    ["report=4", "answers", "phase", "deadline", "child", "left", "began", "rc=0", "line", "IFS"],
)
def test_a_name_made_readonly_later_lets_nothing_start_either(site: ShellSite, name: str) -> None:
    done = site.run(
        'heal_act_with_guardrails "first 1" act good\n'
        f"readonly {name}\n"
        'heal_act_with_guardrails "fix 1" act good; echo "$? $_heal_v_allow $_heal_v_guard"\n'
        'heal_act_with_guardrails "fix 1" act good; echo "$?"\n'
        "heal_audit note note || echo unsaid\n"
        "heal_rate_check fix 1 3 || echo denied; heal_cb_record fix failure || echo unrecorded"
    )
    assert done.stdout == "1 0 record\n1\nunsaid\ndenied\nunrecorded\n", done.stderr
    asked = f"the variable {name.partition('=')[0]} is readonly, and heal.sh needs that name"
    assert done.stderr.count(asked) == 5
    assert site.outcomes() == ["started", "success"]
    assert site.acts() == 1


def test_a_denial_with_a_readonly_name_leaves_no_lock_behind(site: ShellSite) -> None:
    """The event of a first denial is an event like any other; of the next there is none."""
    done = site.limited(BURST=1).run(
        'heal_act_with_guardrails "fix 1" act good\n'
        "readonly lines\n"
        'heal_act_with_guardrails "fix 2" act good; echo "$? $_heal_outcome $_heal_v_guard"\n'
        'flock -n "$HEAL_AUDIT_FILE" echo free; flock -n "$HEAL_STATE_DIR/.guard" echo free'
    )
    assert done.stdout == "0 denied rate\nfree\nfree\n"
    assert "the variable lines is readonly" in done.stderr
    assert site.outcomes() == ["started", "success"]


def test_a_dead_claim_and_a_readonly_name_leave_no_lock_behind(site: ShellSite) -> None:
    site.write(
        "claims/0", f"v1 4194305 1 00000000 {site.now} {'0' * 64} fix 0 {site.now} 1.000000 fix 1\n"
    )
    done = site.run(
        "heal_init; readonly folder\n"
        'heal_act_with_guardrails "fix 1" act good; echo "$?"\n'
        'flock -n "$HEAL_STATE_DIR/.guard" echo free'
    )
    assert done.stdout == "1\nfree\n"
    assert (site.state / "claims/0").stat().st_size
    assert (site.acts(), site.events()) == (0, [])


def test_heal_main_needs_some_more(site: ShellSite) -> None:
    done = site.run(
        "detect() { echo x=1; }; decide() { echo fix; }; readonly interval=60\n"
        'heal_main detect decide act good --once; echo "$?"'
    )
    assert done.stdout == "2\n"
    assert "the variable interval is readonly" in done.stderr
    assert site.acts() == 0


def test_other_readonly_names_and_those_of_a_function_are_the_callers_own(site: ShellSite) -> None:
    done = site.run(
        "readonly host=web1 interval=60 names=x group=y commands=z THRESHOLD=1\n"
        'mine() { local -r rc=7 i=8; heal_act_with_guardrails "fix 1" act good; echo "$? $rc"; }\n'
        "mine"
    )
    assert (done.stdout, done.stderr) == ("0 7\n", "")
    assert site.acts() == 1


def test_the_fleet_needs_its_own(site: ShellSite) -> None:
    done = site.run(
        'readonly host=web1; heal_act_with_guardrails "fix 1" act good; echo "$?"',
        HEAL_REDIS_URL="redis://127.0.0.1:1/0",
    )
    assert done.stdout == "1\n"
    assert "the variable host is readonly" in done.stderr
