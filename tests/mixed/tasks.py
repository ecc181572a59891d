"""What the Python processes of the races do in a round; the bash scripts stand in the tests."""

from __future__ import annotations

from dataclasses import replace

from healconsole.core.words import Outcome
from healconsole.stores.auditlog import AuditWriter
from tests.engine.sites import NOON, OPEN_POLICY, Site

BURST = replace(OPEN_POLICY, burst=10)
BREAKING = replace(OPEN_POLICY, max_failures=3)
CREW = 16
"""Processes of a race, half of them in bash."""


def one_intent(site: Site, _index: int, number: int) -> None:
    """All want the same; in each fourth round a process in bash is to be the first."""
    if number % 4 == 3:
        site.await_count("acted", number + 1, within=100.0)
    site.guard().run(f"fix round={number}", site.act, lambda: True, reason="python")


def one_bucket(site: Site, index: int, number: int) -> None:
    """Two tries of each at ten tokens."""
    guard = site.guard(BURST)
    for attempt in (1, 2):
        result = guard.run(f"fix{number} process={index} try={attempt}", site.act, lambda: True)
        assert result.succeeded or result.verdict.guard == "rate", result


def a_failure(site: Site, index: int, number: int) -> None:
    """An act that does not help."""
    result = site.guard().run(f"fix process={index} try={number}", site.act, lambda: False)
    assert result.outcome is Outcome.VERIFY_FAILED, result


def a_probe(site: Site, index: int, number: int) -> None:
    """Whoever is given the probe ends only when all others were denied."""

    def act() -> None:
        site.mark(f"probe.{number}")
        site.await_count(f"denied.{number}", CREW - 1)

    if number % 3 == 1:
        site.await_count(f"probe.{number}", 1)
    result = site.guard(BREAKING).run(f"fix{number} process={index}", act, lambda: True)
    if not result.succeeded:
        assert result.verdict.guard == "circuit", result
        site.mark(f"denied.{number}")


def long_lines(site: Site, index: int, number: int) -> None:
    """Lines of every size, up to more than a line may have."""
    writer = AuditWriter(site.audit, lambda: NOON, "host")
    size = (index * 7_919 + number * 104_729) % 66_000
    writer.append(
        healer="h", outcome="denied", intent=f"{index} {number}", reason="é" * (size // 2)
    )
