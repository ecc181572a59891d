"""heal.sh as a drop-in: any intent, the names of before, and its caller's shell left as it was."""

from __future__ import annotations

import itertools
import re

import pytest

from healconsole.core.scopes import scope_file_name
from tests.shell.bashes import ShellSite


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


INTENTS = (
    "/", "..", "../../x", "'", '"', "$(touch canary)", "%2E", "%", "-rf x", "-", "größe ü",
    "x" * 300, "x" * 1024, "a b  c", ".", "~", "*", "[a]", "x" * 181, "ü" * 100, "\\u0041",
)  # fmt: skip
REFUSED = {
    "": "intent is empty",
    "a\nb": "intent holds the control character U+000A",
    "a\x7fb": "intent holds the control character U+007F",
    "a\u0085b": "intent holds the control character U+0085",
    "a\udcffb": "intent is not valid UTF-8",
    "a\udced\udca0\udc80": "intent is not valid UTF-8",
    " a": "intent begins or ends with a space",
    "a ": "intent begins or ends with a space",
    "y" * 1025: "intent is 1025 bytes long, more than 1024",
}


def test_intents_of_any_shape_stay_inside_and_apart(site: ShellSite) -> None:
    script = "".join(f"heal_act_with_guardrails {quoted(i)} act good\n" for i in INTENTS)
    done = site.run(script, prefix=("env", "-C", str(site.root)))
    assert done.returncode == 0, done.stderr
    assert site.acts() == len(INTENTS)
    assert len(list((site.state / "keys").iterdir())) == len(INTENTS)
    scopes = {intent.partition(" ")[0] for intent in INTENTS}
    assert {path.name for path in (site.state / "rate").iterdir()} == set(
        map(scope_file_name, scopes)
    )
    assert {path.name for path in site.root.iterdir()} == {"h", "audit.jsonl", "acted"}
    assert {event["intent"] for event in site.events("success")} == set(INTENTS)


def test_what_cannot_be_an_intent_is_refused(site: ShellSite) -> None:
    script = "".join(
        f"heal_act_with_guardrails {quoted(intent)} act good\n"
        'printf "%s: %s\\n" "$_heal_v_guard" "$_heal_v_reason"\n'
        for intent in REFUSED
    )
    done = site.run(script)
    assert done.stdout.splitlines() == [f"intent: {why}" for why in REFUSED.values()]
    assert site.acts() == 0
    assert site.events("denied")


def test_the_fact_of_the_environment_goes_into_the_events(site: ShellSite) -> None:
    site.act("fix", HEAL_FACT='depth=12,name="ü"')
    assert {event["fact"] for event in site.events()} == {'depth=12,name="ü"'}


def test_the_library_within_an_action_leaves_the_files_of_the_action_alone(
    site: ShellSite,
) -> None:
    done = site.run(
        """
        outer() {
          exec {mine}>"$TEST_ROOT/mine"
          heal_audit "by hand" success
          echo kept >&"$mine"
        }
        heal_act_with_guardrails "before" act good
        heal_act_with_guardrails "outer" outer good
        """
    )
    assert (site.root / "mine").read_text() == "kept\n", done.stderr
    assert site.outcomes() == ["started", "success", "started", "success", "success"]


def test_an_act_within_an_act_is_refused_and_spends_nothing(site: ShellSite) -> None:
    done = site.run(
        """
        outer() { heal_act_with_guardrails "inner 1" act good || echo "$_heal_v_guard"; }
        heal_act_with_guardrails "outer" outer good
        """
    )
    assert done.stdout == "record\n"
    assert "give it a process of its own" in done.stderr
    assert [event["intent"] for event in site.events()] == ["outer", "outer"]
    assert site.acts() == 0


def test_a_scope_is_that_of_its_own_intent(site: ShellSite) -> None:
    site.run(
        """
        HEAL_SCOPE='a|b' heal_act_with_guardrails 'c' act good
        HEAL_SCOPE='a' heal_act_with_guardrails 'b|c' act good
        """
    )
    assert [event["scope"] for event in site.events("success")] == ["a|b", "a"]


OPTIONS = """
set -euo pipefail -f -C
shopt -s nocasematch nullglob failglob
IFS=,
LC_ALL=C.UTF-8
trap 'echo bye' EXIT
trap 'echo term' TERM
trap 'echo debugged >/dev/null' DEBUG
trap 'echo failed' ERR
cd /
shown() { set +o; shopt; trap -p; printf '%q %q %s\\n' "$IFS" "$LC_ALL" "$PWD"; }
seen() { printf '%s|%s|%s\\n' "${-//[^efuC]/}" "$IFS" "$LC_ALL" >>"$TEST_ROOT/seen"; }
shown >|"$TEST_ROOT/before"
heal_init
heal_act_with_guardrails "fix 1" seen seen
heal_act_with_guardrails "fix 1" seen seen
heal_act_with_guardrails "fix 2" bad seen
heal_act_with_guardrails "fix 3" bad seen || echo "looked at"
if heal_act_with_guardrails "fix 4" bad seen; then echo never; fi
heal_rate_check name 1 5 && heal_cb_check name 3 5 && heal_cb_record name success
DRY_RUN=1 heal_act_with_guardrails "fix 5" seen seen
shown >|"$TEST_ROOT/after"
echo lives
"""


def test_the_callers_shell_is_left_as_it_was(site: ShellSite) -> None:
    done = site.run(OPTIONS)
    assert done.stdout.splitlines() == ["looked at", "lives", "bye"], done.stderr
    assert (site.root / "before").read_text() == (site.root / "after").read_text()
    # The action has the caller's shell, and errexit.
    assert set((site.root / "seen").read_text().splitlines()) == {"efuC|,|C.UTF-8"}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("heal_idem_key", "'restart_worker pid=12345'", r"650c6c071a55284f[0-9a-f]{48}"),
        ("heal_idempotency_key", "x", r"[0-9a-f]{64}"),
    ],
)
def test_the_old_names_of_keys(site: ShellSite, name: str, arguments: str, expected: str) -> None:
    now = 5_880_000 * 300
    assert re.fullmatch(expected, site.at(now).run(f"{name} {arguments}").stdout.strip())


def test_the_old_names_of_everything_else(site: ShellSite) -> None:
    done = site.run(
        """
        status() { printf '%s ' "$?"; }
        next() { printf /; }
        key=$(heal_idem_key "x 1")
        heal_idem_seen "$key"; status; heal_idem_mark "$key"; status; heal_idem_seen "$key"; status
        next; heal_rate_limit_check r 0 2; status; heal_rate_check r 0 2; status
        heal_rate_check r 0 2; status
        next; heal_circuit_breaker_check c 2 60; status
        heal_circuit_breaker_record c failure; status; heal_cb_check c 2 60; status
        next; heal_cb_record c failure; status; heal_cb_check c 2 60; status
        next; heal_cb_record c success; status; heal_cb_check c 2 60; status
        TEST_NOW=$((TEST_NOW + 60))
        next; heal_cb_check c 2 60; status; heal_cb_check c 2 60; status
        next; heal_cb_record c success; status; heal_cb_check c 2 60; status
        next; heal_audit "x 1" success "said so"; status
        heal_log hello
        """
    )
    # A success closes an open breaker only if it began before: here nobody can tell that.
    assert done.stdout.split("/") == [
        "1 0 0 ", "0 0 1 ", "0 0 0 ", "0 1 ", "0 1 ", "0 1 ", "0 0 ", "0 ",
    ]  # fmt: skip
    assert done.stderr.endswith("h: hello\n")
    event = site.events()[-1]
    assert (event["intent"], event["outcome"], event["reason"]) == ("x 1", "success", "said so")


def test_policies_that_cannot_be_used_are_refused(site: ShellSite) -> None:
    for name, value in itertools.product(
        ("RATE", "BURST", "CB_MAX", "CB_COOLDOWN", "BUCKET", "SETTLE", "ACTION_TIMEOUT"),
        ("x", "-1", "a[$(touch canary)]", "1e3", "08"),
    ):
        done = site.limited(**{name: value}).run(
            'heal_act_with_guardrails "fix" act good; echo "$? $_heal_v_guard"',
            prefix=("env", "-C", str(site.root)),
        )
        assert done.stdout == "1 record\n", (name, value)
        assert f"HEAL_{name}" in done.stderr
    assert site.acts() == 0
    assert not (site.root / "canary").exists()
