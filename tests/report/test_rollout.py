"""May a healer take its next step: GO or NO-GO, and the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson
import pytest

from healconsole.core.auditline import AuditEvent
from healconsole.core.report.beats import beats_on, parse_beats
from healconsole.core.report.judging import judge, usual_of_fleet
from healconsole.core.report.report import ReportCount, Source
from healconsole.core.report.rollout import Evidence, Judgement, Level
from healconsole.core.report.sampling import MOST, Sampler
from healconsole.core.report.span import Span, day_of
from healconsole.core.report.steps import STEPS, step_named
from tests.report.events import DAY, NOW, event, stamp

HOSTS = [f"db-{number:02d}" for number in range(50)]


def judged(
    word: str,
    events: Iterable[AuditEvent],
    *,
    fleet: int = 50,
    beats: Mapping[str, frozenset[str]] | None = None,
    problem: str = "",
) -> Judgement:
    step = step_named(word)
    assert step is not None
    span = Span(NOW - step.days * DAY, NOW)
    count, sampler = ReportCount(span, ["queue"]), Sampler()
    for it in sorted(events, key=lambda found: found.ts or 0):
        if count.add(it, "log") is not None:
            sampler.add(it, day_of(it))
    count.read(Source("log", 1, problem))
    return judge(
        Evidence("queue", step, count.result(), fleet, beats or {}, sampler.result(), sampler.blind)
    )


def rehearsals(
    days: int, a_day: int = 1, hosts: Iterable[str] = HOSTS, **given: object
) -> list[AuditEvent]:
    """So many would-be actions on each host and day, and another guardrail's word elsewhere."""
    return [
        event(NOW - (day + 1) * DAY + 3600 + number * 60, "dry-run", host=host, **given)
        for day in range(days)
        for host in hosts
        for number in range(a_day)
    ]


def alive(days: int, hosts: Iterable[str] = HOSTS) -> dict[str, frozenset[str]]:
    return {
        host: frozenset(stamp(NOW - day * DAY)[:10] for day in range(days + 1)) for host in hosts
    }


def acts(days: int, host: str, outcome: str = "success") -> list[AuditEvent]:
    return [
        it
        for day in range(days)
        for it in (
            event(NOW - (day + 1) * DAY + 3600, "started", host=host),
            event(NOW - (day + 1) * DAY + 3630, outcome, host=host, reason="why"),
        )
    ]


def test_200_would_be_actions_a_day_over_50_hosts_are_a_bug_in_decide() -> None:
    found = judged("dry-run", rehearsals(7, a_day=4))
    assert found.word == "NO-GO"
    assert "200 would-be actions" in found.reason
    assert "over 50 hosts" in found.reason
    assert "a bug in decide, not a busy day" in found.reason


def test_a_week_of_plausible_rehearsal_goes_on() -> None:
    found = judged("dry-run", rehearsals(7, hosts=HOSTS[:3]), beats=alive(7))
    assert (found.word, found.stops) == ("GO", ())
    assert found.next_step is not None
    assert found.next_step.word == "canary"


def test_an_act_is_not_told_as_a_would_be_one() -> None:
    log = [*rehearsals(1, hosts=HOSTS[:1]), *acts(1, HOSTS[0])]
    found = judged("dry-run", log, beats=alive(7))
    volume = found.findings[0].answer
    assert volume.startswith("2 actions (1 done, 1 rehearsed) in ")
    assert "would-be" not in volume


def test_too_many_on_one_host_stop_it() -> None:
    found = judged("dry-run", rehearsals(7, a_day=6, hosts=HOSTS[:1]), beats=alive(7))
    assert "6 would-be actions" in found.reason
    assert "db-00" in found.reason


def test_days_without_a_heartbeat_stop_it() -> None:
    beats = alive(7)
    beats["db-07"] -= {"2025-11-20", "2025-11-21"}
    found = judged("dry-run", rehearsals(7, hosts=HOSTS[:1]), beats=beats)
    assert found.evidence.missing() == {"db-07": ("2025-11-20", "2025-11-21")}
    assert found.reason == "2 days without a heartbeat: db-07 (2025-11-20, 2025-11-21)."


def test_a_healer_that_has_gone_silent_stops() -> None:
    beats = alive(7)
    beats["db-07"] -= {"2025-11-24", "2025-11-23"}
    found = judged("dry-run", rehearsals(7, hosts=HOSTS[:1]), beats=beats)
    assert "db-07" in found.reason


def test_a_rehearsal_on_a_part_of_the_fleet_is_none() -> None:
    found = judged("dry-run", rehearsals(7, hosts=HOSTS[:3]), beats=alive(7, HOSTS[:40]))
    assert found.reason.startswith("10 of 50 hosts never showed a sign of it")


def test_too_little_evidence_stops_it() -> None:
    found = judged("dry-run", rehearsals(3, hosts=HOSTS[:1]))
    assert any("4 of 7 days" in it.answer or "3 of 7 days" in it.answer for it in found.stops)
    assert judged("dry-run", []).reason.startswith("Neither an event nor a heartbeat")
    assert "cause what it heals once" in judged("dev", [], beats=alive(1)).reason


def test_a_dry_run_in_which_something_acted_is_none() -> None:
    found = judged("dry-run", [*rehearsals(7, hosts=HOSTS[:3]), *acts(1, "db-01")], beats=alive(7))
    assert "none may act" in found.reason


def test_a_canary_is_one_host() -> None:
    assert judged("canary", acts(3, "db-01"), beats=alive(3)).word == "GO"
    two = judged("canary", acts(3, "db-01") + acts(1, "db-02"), beats=alive(3))
    assert "2 hosts (db-01, db-02)" in two.reason
    none = judged("canary", rehearsals(3, hosts=HOSTS[:1]), beats=alive(3))
    assert "never acted" in none.reason


@pytest.mark.parametrize(("word", "most"), [("10%", 5), ("25%", 13), ("50%", 25), ("100%", 50)])
def test_each_share_of_the_fleet(word: str, most: int) -> None:
    step = step_named(word)
    assert step is not None
    for number, said in ((most, "GO"), (most + 1, "NO-GO")):
        done = [it for host in HOSTS[:number] for it in acts(step.days, host)]
        assert judged(word, done, beats=alive(step.days)).word == (said if number <= 50 else "GO")


def test_the_steps_are_those_of_the_house() -> None:
    assert [(step.word, step.days) for step in STEPS[:3]] == [
        ("dev", 1), ("dry-run", 7), ("canary", 3),
    ]  # fmt: skip
    assert sum(step.days for step in STEPS[3:]) == 7


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (acts(3, "db-01", "verify-failed"), "only 0 of 3 acts succeeded"),
        (acts(3, "db-01", "timed-out"), "3 timed-out"),
        ([*acts(3, "db-01"), event(NOW - 50, "operator-trip", host="db-01", reason="stop it",
          operator={"user": "ana"})], "ana stopped it on db-01: stop it"),
        (rehearsals(3, hosts=HOSTS[:1], fact="depth=ERROR"), "3 times it wanted to act on a"),
    ],
)  # fmt: skip
def test_what_stops_a_canary(events: list[AuditEvent], said: str) -> None:
    found = judged("canary", events, beats=alive(3))
    assert any(said in it.answer for it in found.stops)


def test_an_opened_breaker_stops_it() -> None:
    failing = [
        it
        for number in range(3)
        for it in (
            event(NOW - 9000 + number * 400, "started", host="db-01"),
            event(NOW - 8970 + number * 400, "verify-failed", host="db-01"),
        )
    ]
    found = judged("canary", [*acts(3, "db-01"), *failing], beats=alive(3))
    assert any("it opened once, last on db-01" in it.answer for it in found.stops)


def test_evidence_that_is_not_whole_is_none() -> None:
    found = judged("dry-run", rehearsals(7, hosts=HOSTS[:3]), beats=alive(7), problem="is torn")
    assert found.word == "NO-GO"


def test_being_held_back_is_a_caution() -> None:
    held = event(NOW - 40, "denied", host="db-00", guard="rate", dry_run=True)
    found = judged("dry-run", [*rehearsals(7, hosts=HOSTS[:3]), held], beats=alive(7))
    assert [it.level for it in found.findings].count(Level.CAUTION) == 1
    assert found.word == "GO"


def test_the_sample_has_each_kind_of_surprise() -> None:
    odd = event(NOW - 500, "dry-run", host="db-09", fact="depth=ERROR")
    other = event(NOW - 400, "dry-run", host="db-08", intent="reboot host=db-08")
    samples = judged("dry-run", [*rehearsals(7, a_day=2), odd, other]).evidence.samples
    assert len(samples) == MOST
    assert [it.ts for it in samples] == sorted(it.ts for it in samples)
    why = {it.intent if it.intent.startswith("reboot") else it.fact: it.why for it in samples}
    assert "ERROR" in why["depth=ERROR"]
    assert why["reboot host=db-08"] == "first of its kind"


def test_heartbeats_as_prometheus_answers() -> None:
    raw = orjson.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"healer": "queue", "instance": "db-1.example:9100"},
             "values": [[NOW, str(NOW)], [NOW + 60, str(NOW)], [NOW, "NaN"], ["x"], 7]},
            {"metric": {"healer": "other", "instance": "db-2:9100"}, "values": []}, None]}}
    )  # fmt: skip
    beats = parse_beats(raw, "queue")
    assert beats == {"db-1.example": frozenset({"2025-11-24"})}
    assert beats_on(beats, "db-1") == frozenset({"2025-11-24"})
    for wrong in (b"{", b"[]", b'{"data": {"result": 1}}'):
        with pytest.raises(ValueError, match="not "):
            parse_beats(wrong, "queue")


def test_the_usual_of_a_fleet() -> None:
    assert usual_of_fleet(50) < 200
