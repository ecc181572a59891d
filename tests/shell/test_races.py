"""Many bash processes on one state directory: none acts twice, beyond its limit, or unrecorded."""

from __future__ import annotations

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.records import BreakerRecord
from healconsole.core.words import Circuit
from tests.shell.bashes import LONG, NOON, ShellSite, many

ACT = 'heal_act_with_guardrails "$intent" act good || exit 1\n'

pytestmark = pytest.mark.timeout(0 if LONG else 120)


def breaker(site: ShellSite, scope: str) -> BreakerRecord:
    found = parse_breaker((site.state / "cb" / scope).read_bytes(), scope)
    assert isinstance(found, BreakerRecord)
    return found


@pytest.mark.parametrize("processes", [2, 16, 64])
def test_one_intent_is_acted_on_once(site: ShellSite, processes: int) -> None:
    rounds = many({2: 6, 16: 2, 64: 1}[processes], 200)
    site.race(
        processes,
        f'for ((i = 0; i < {rounds}; i++)); do intent="fix round=$i"; {ACT} done',
        timeout=100 if not LONG else 3_000,
    )
    assert site.acts() == rounds
    assert len(site.events("started")) == len(site.events("success")) == rounds


def test_one_bucket_grants_its_burst_and_no_more(site: ShellSite) -> None:
    tries = many(5, 625)
    site.limited(BURST=10).race(
        16,
        f'for ((i = 0; i < {tries}; i++)); do intent="fix process=$INDEX try=$i"; {ACT} done',
        timeout=100 if not LONG else 3_000,
    )
    assert site.acts() == 10
    assert (site.state / "rate" / "fix").read_bytes() == b"%d 0.000000 0.000000 10\n" % NOON


def test_the_old_name_of_the_bucket_grants_no_more_either(site: ShellSite) -> None:
    tries = many(4, 625)
    granted = site.race(
        16,
        f"n=0; for ((i = 0; i < {tries}; i++)); do heal_rate_check fix 0 10 && ((n += 1)); done\n"
        "echo $n",
        timeout=100 if not LONG else 3_000,
    )
    assert sum(map(int, granted)) == 10


def test_no_failure_is_lost(site: ShellSite) -> None:
    each = many(3, 625)
    site.race(
        16,
        f"for ((i = 0; i < {each}; i++)); do heal_cb_record fix failure || exit 1; done",
        timeout=100 if not LONG else 3_000,
    )
    assert breaker(site, "fix").failures == 16 * each


def test_no_failed_action_is_lost(site: ShellSite) -> None:
    each = many(1, 40)
    site.race(
        16,
        f"for ((i = 0; i < {each}; i++)); do\n"
        'heal_act_with_guardrails "fix $INDEX $i" bad good; done; true',
        timeout=100 if not LONG else 3_000,
    )
    assert breaker(site, "fix").failures == 16 * each
    assert len(site.events("action-failed")) == 16 * each
    assert not list((site.state / "keys").iterdir())


@pytest.mark.parametrize("number", range(many(2, 200)))
def test_a_half_open_breaker_lends_one_probe(site: ShellSite, number: int) -> None:
    site.write("cb/fix", f"3 {NOON - 700 - number} 3 600 open {NOON - 100 - number}\n")
    # The probe ends when the others were denied: nobody comes after it has closed the breaker.
    script = """
    probe() { act; until [[ $(wc -c <"$TEST_ROOT/denied") -ge 15 ]]; do nap; done; }
    heal_act_with_guardrails "fix process=$INDEX" probe good || exit 1
    [[ $_heal_v_guard != circuit ]] || mark denied
    """
    (site.root / "denied").touch()
    site.limited(CB_MAX=3).race(16, script)
    assert (site.acts(), site.count("denied")) == (1, 15)
    assert breaker(site, "fix").state is Circuit.CLOSED


def test_a_probe_whose_owner_was_killed_is_lent_to_one_other_after_its_lease(
    site: ShellSite,
) -> None:
    limited = site.limited(CB_MAX=3, CB_COOLDOWN=600)
    site.write("cb/fix", f"3 {NOON - 700} 3 600 open {NOON - 100}\n")
    died = limited.run(
        'die() { kill -KILL "$PPID_OF"; }; PPID_OF=$$; heal_act_with_guardrails "fix 1" die good'
    )
    assert died.returncode == -9
    # Settling it counts a failure: the breaker is open for another cooldown, and then half-open.
    assert limited.at(NOON + 5).act("fix 2") == "denied circuit"
    assert [event["intent"] for event in site.events("interrupted")] == ["fix 1"]
    assert limited.at(NOON + 606).act("fix 3") == "success"
    assert breaker(site, "fix").state is Circuit.CLOSED
