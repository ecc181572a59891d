"""Denials that go on are told when they begin and when they end."""

from __future__ import annotations

from healconsole.core.guardrails import denied
from healconsole.core.verdict import Intent, Verdict
from healconsole.core.words import Guardrail
from healconsole.engine.denials import MAX_OPEN, Denial, Denials


def no(scope: str, guard: Guardrail = Guardrail.RATE) -> Verdict:
    return denied(Intent(scope, scope), guard, "no")


def told(written: list[Denial]) -> list[tuple[str, str, int, bool]]:
    return [(d.verdict.scope, str(d.verdict.guard), d.count, d.over) for d in written]


def test_a_run_is_told_twice_and_a_single_denial_once() -> None:
    written: list[Denial] = []
    denials = Denials(written.append)
    for at in range(5):
        denials.denied(no("a"), "", "timer", at)
    denials.denied(no("b"), "", "timer", 7.5)
    denials.all_over()
    assert told(written) == [
        ("a", "rate", 1, False),
        ("b", "rate", 1, False),
        ("a", "rate", 5, True),
    ]
    assert written[-1].at == 4, "of the last of them"


def test_another_guardrail_begins_another_run() -> None:
    written: list[Denial] = []
    denials = Denials(written.append)
    for guard in (Guardrail.RATE, Guardrail.RATE, Guardrail.CIRCUIT, Guardrail.RATE):
        denials.denied(no("a", guard), "", "timer", 7.5)
    denials.over("a")
    assert told(written) == [
        ("a", "rate", 1, False),
        ("a", "rate", 2, True),
        ("a", "circuit", 1, False),
        ("a", "rate", 1, False),
    ]


def test_a_run_that_an_earlier_process_told_of_is_only_ended() -> None:
    written: list[Denial] = []
    denials = Denials(written.append)
    denials.denied(no("a"), "", "once", 7.5, known=True)
    denials.over("a")
    assert written == []
    denials.denied(no("a"), "", "once", 7.5, known=True)
    denials.denied(no("a"), "", "once", 7.5, known=True)
    denials.over("a")
    assert told(written) == [("a", "rate", 2, True)]


def test_ever_new_scopes_are_bounded() -> None:
    written: list[Denial] = []
    denials = Denials(written.append)
    for number in range(MAX_OPEN + 10):
        denials.denied(no(f"s{number}"), "", "timer", 7.5)
        denials.denied(no(f"s{number}"), "", "timer", 7.5)
    assert sum(denial.over for denial in written) == 10


def test_the_run_goes_on_for_one_scope_while_the_others_end() -> None:
    written: list[Denial] = []
    denials = Denials(written.append)
    for scope in ("a", "a", "b", "b"):
        denials.denied(no(scope), "", "timer", 7.5)
    denials.all_over(but="b")
    assert told(written)[2:] == [("a", "rate", 2, True)]
