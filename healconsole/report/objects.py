"""Reports as JSON objects: strings exact, times in epoch seconds and as text."""

from __future__ import annotations

from typing import Any

from healconsole.core.ages import iso
from healconsole.core.report.circuits import Episode, Reset
from healconsole.core.report.report import Report
from healconsole.core.report.rollout import Judgement
from healconsole.core.report.tally import USUAL, HealerTally
from healconsole.report.telling import host_days

Json = dict[str, Any]


def report_object(report: Report) -> Json:
    """The whole report."""
    return {
        "v": 1,
        "span": _span(report),
        "usual_actions_per_host_and_day": [0, USUAL],
        "days": list(report.days),
        "healers": [_healer(healer, report) for healer in report.healers],
        "read": _reading(report),
    }


def rollout_object(judgement: Judgement) -> Json:
    """The evidence for a promotion."""
    evidence = judgement.evidence
    step, following, report = evidence.step, judgement.next_step, evidence.report
    return {
        "v": 1,
        "healer": evidence.healer,
        "verdict": judgement.word,
        "reason": judgement.reason,
        "step": {"name": step.word, "title": step.title, "days": step.days},
        "next": {"name": following.word, "title": following.title} if following else None,
        "findings": [
            {"level": str(it.level), "question": it.question, "answer": it.answer}
            for it in judgement.findings
        ],
        "fleet_hosts": evidence.fleet,
        "hosts": list(evidence.hosts),
        "without_heartbeat": {host: list(days) for host, days in evidence.missing().items()},
        "sample": [
            {
                "why": sample.why,
                "at": iso(sample.ts, report.utc_offset_s),
                "host": sample.host,
                "intent": sample.intent,
                "outcome": sample.outcome,
                "reason": sample.reason,
                "fact": sample.fact,
            }
            for sample in evidence.samples
        ],
        "report": report_object(report),
    }


def _span(report: Report) -> Json:
    span, offset = report.span, report.utc_offset_s
    return {
        "since": span.since,
        "until": span.until,
        "since_text": iso(span.since, offset),
        "until_text": iso(span.until, offset),
    }


def _healer(healer: HealerTally, report: Report) -> Json:
    repairs, circuits = healer.repairs, healer.circuits
    compared = host_days(healer, report.days)
    days: dict[str, Json] = {}
    for (host, day), on in sorted(healer.days.items()):
        days.setdefault(host, {})[day] = {
            "actions": on.actions,
            "would_be": on.would_be,
            "failures": on.failures,
            "denials": on.denials,
        }
    return {
        "name": healer.name,
        "events": healer.events,
        "first": healer.first,
        "last": healer.last,
        "actions": healer.actions,
        "would_be": healer.would_be,
        "outcomes": dict(healer.outcomes),
        "denials": dict(healer.denials),
        "mttr_s": {
            "healed": repairs.healed.count,
            "unhealed": repairs.unhealed,
            "mean": repairs.healed.mean,
            "median": repairs.healed.median,
            "p95": repairs.healed.p95,
            "longest": repairs.healed.longest,
        },
        "circuits": {
            "opened": circuits.opened,
            "open_s": circuits.open_s,
            "reset": circuits.resets_counted,
            "reset_undone": circuits.resets_undone,
            "limits_assumed": healer.assumed,
            "openings": [_episode(episode) for episode in circuits.episodes],
            "resets": [_reset(reset) for reset in circuits.resets],
        },
        "host_days": {
            "quiet": compared.quiet,
            "usual": compared.usual,
            "over": [
                {"host": busy.host, "day": busy.day, "actions": busy.actions}
                for busy in compared.over
            ],
        },
        "hosts": days,
    }


def _episode(episode: Episode) -> Json:
    return {
        "host": episode.host,
        "scope": episode.scope,
        "opened": episode.opened,
        "why": episode.why,
        "failures": list(episode.reasons),
        "operator": episode.by,
        "incident": episode.incident,
        "probes_failed": episode.probes_failed,
        "open_s": episode.denying_s,
        "ended": episode.ended,
        "ended_by": episode.ended_by,
    }


def _reset(reset: Reset) -> Json:
    return {
        "at": reset.at,
        "host": reset.host,
        "scope": reset.scope,
        "operator": reset.by,
        "reason": reset.reason,
        "incident": reset.incident,
        "undone": reset.undone,
        "undone_by": reset.undone_by,
    }


def _reading(report: Report) -> Json:
    reading = report.reading
    return {
        "lines": reading.lines,
        "outside_the_span": reading.outside,
        "without_a_time": reading.timeless,
        "unparsable": reading.unparsable,
        "unparsable_samples": [
            {
                "log": sample.path,
                "offset": sample.offset,
                "why": sample.why,
                "text": sample.raw[:200].decode("utf-8", "backslashreplace"),
            }
            for sample in reading.samples
        ],
        "logs": [
            {"path": source.path, "lines": source.lines, "problem": source.problem}
            for source in reading.sources
        ],
    }
