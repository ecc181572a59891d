"""A caller whose globs pass over files: the slots of those who act now are seen all the same."""

from __future__ import annotations

import pytest

from tests.shell.bashes import NOON, ShellSite

ACT = "heal_act_with_guardrails '{}' act good; echo \"$_heal_outcome $_heal_v_guard\""

SHOWN = """
mkdir "$TEST_ROOT/files"
: >"$TEST_ROOT/files/.a"; : >"$TEST_ROOT/files/b"; : >"$TEST_ROOT/files/c"
cd "$TEST_ROOT/files"
shown() {
  if shopt -q dotglob; then echo on; else echo off; fi
  echo "${GLOBIGNORE-unset}:" *
}
seen() { shown >"$TEST_ROOT/seen"; }
compare() {
  local before=$(shown)
  heal_act_with_guardrails "$1" seen good
  echo "$_heal_outcome"
  [[ $(<"$TEST_ROOT/seen") == "$before" ]] || echo "$1: the action had other globs"
  [[ $(shown) == "$before" ]] || echo "$1: other globs were left behind"
}
"""
STATES = (
    ":",
    "GLOBIGNORE=b",
    "shopt -u dotglob",
    "GLOBIGNORE=''",
    "shopt -s dotglob",
    "unset GLOBIGNORE",
    "shopt -s dotglob nullglob",
    "GLOBIGNORE='*'",
)


@pytest.mark.parametrize("ignored", ["*", "$HEAL_STATE_DIR/claims/?"])
def test_an_act_in_flight_is_seen(site: ShellSite, ignored: str) -> None:
    """In a bucket of its own, where no marker tells of it."""
    first = site.start(
        "slow() { mark began; await go; }\nheal_act_with_guardrails 'fix 1' slow good"
    )
    site.await_count("began", 1)
    later = site.at(NOON + 3000)
    done = later.run(f'GLOBIGNORE="{ignored}"\n' + ACT.format("fix 1"))
    (site.root / "go").touch()
    _, err = first.communicate(timeout=60)
    assert done.stdout == "denied idempotency\n", done.stderr
    assert (first.returncode, err) == (0, "")
    assert site.acts() == 0
    assert site.events("denied")[0]["reason"].startswith("in flight: pid ")


def test_an_act_that_was_cut_off_is_recovered(site: ShellSite) -> None:
    claim = f"v1 4194305 1 00000000 {NOON} {'0' * 64} fix 0 {site.now} 1.000000 fix 1\n"
    site.write("claims/0", claim)
    done = site.run("GLOBIGNORE='*'\n" + ACT.format("fix 2"))
    assert done.stdout == "success \n", done.stderr
    assert site.outcomes() == ["interrupted", "started", "success"]


def test_the_callers_globs_are_left_as_they_were(site: ShellSite) -> None:
    tried = "\n".join(f'{state}; compare "fix {nth}"' for nth, state in enumerate(STATES))
    done = site.run(SHOWN + tried)
    assert (done.stdout.split("\n"), done.stderr) == (["success"] * len(STATES) + [""], "")
