"""Healers declared in TOML: the example, and what a file may and may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

import healconsole.examples
from healconsole import Fact, Intent
from healconsole.engine.declared import DeclarationError, load

EXAMPLE = Path(healconsole.examples.__path__[0]) / "worker-queue-healer.toml"


@pytest.mark.parametrize(
    ("fact", "intent"),
    [
        ("queue_depth=12450,workers_alive=8", "restart_workers queue=jobs"),
        ("queue_depth=10001,workers_alive=1", "restart_workers queue=jobs"),
        ("queue_depth=10000,workers_alive=8", ""),
        ("queue_depth=12450,workers_alive=0", ""),
        ("queue_depth=ERROR,workers_alive=8", ""),
        ("queue_depth=12450,workers_alive=ERROR", ""),
        ("queue_depth=a[$(touch canary)0],workers_alive=8", ""),
    ],
)
def test_decide_of_the_example(
    fact: str, intent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(EXAMPLE).decide(Fact.parse(fact)) == intent
    assert not (tmp_path / "canary").exists()


def test_the_example_has_the_limits_of_the_others() -> None:
    policy = load(EXAMPLE).policy
    assert (policy.rate_micro, policy.burst) == (16_700, 3)
    assert (policy.max_failures, policy.cooldown) == (3, 600)


GOOD = """
name = "x"
interval = 5
detect = ["echo", "a=1,b=two words"]
decide = ["sh", "-c", 'echo "fix b=$HEAL_FACT_b"']
act = ["sh", "-c", 'echo "$HEAL_VERB $HEAL_INTENT_b $HEAL_FACT_a $MORE" > "$OUT"']
verify = ["sh", "-c", 'test -s "$OUT"']
environment = { MORE = "more", OUT = "%s" }
[policy]
burst = 7
"""


def test_commands_find_fact_and_intent_in_their_environment(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(GOOD % (tmp_path / "out"))
    healer = load(file)
    fact = healer.measure()
    assert dict(fact) == {"a": "1", "b": "two words"}
    decision = healer.consider(fact)
    assert decision.intent == "fix b=two words"
    assert healer.policy.burst == 7
    assert healer.interval == 5


def test_a_detect_that_fails_is_a_fact(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        GOOD.replace('["echo", "a=1,b=two words"]', '["sh", "-c", "echo why >&2; exit 3"]')
    )
    fact = load(file).measure()
    assert fact["detect"] == "ERROR"
    assert "exit code 3: why" in fact["error"]


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ('name = "x"', 'name = "../x"', "name must be"),
        ('name = "x"', "", "name must be"),
        ("interval = 5", 'interval = "5"', "interval must be"),
        ("interval = 5", "interval = true", "interval must be"),
        ("interval = 5", "interval = nan", "interval must be"),
        ('["echo", "a=1,b=two words"]', '"echo a"', "detect must be a command"),
        ('["echo", "a=1,b=two words"]', "[]", "detect must be a command"),
        ("burst = 7", "brust = 7", "unknown key 'brust'"),
        ("burst = 7", "burst = 0", "burst must be"),
        ("interval = 5", "colour = 5", "unknown key 'colour'"),
        ('MORE = "more"', "MORE = 1", "must give each variable a text"),
        ("[policy]", "[policy", "x.toml"),
    ],
)
def test_a_file_that_declares_no_healer_says_which_key(
    was: str, now: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    file.write_text(GOOD.replace(was, now))
    with pytest.raises(DeclarationError, match=r"x\.toml") as caught:
        load(file)
    assert says in str(caught.value)


def test_an_intent_without_pairs_has_no_parts(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(GOOD)
    command = load(file).action(Intent("fix now", "fix"), Fact())
    assert command.environ is not None  # type: ignore[union-attr] # a declared action is a Command
    assert "HEAL_INTENT_now" not in command.environ  # type: ignore[union-attr]
