"""``report``: what healers did over a span, and whether one may take its next step."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from healconsole.cli.errors import DONE, REFUSED, RefusedError, UsageError
from healconsole.cli.output import complain, to_json, write_utf8
from healconsole.cli.settings import local_offset, look, settings
from healconsole.core.ages import DAY, iso
from healconsole.core.auditfilter import FilterError, parse_filter
from healconsole.core.auditline import AuditLine
from healconsole.core.frozen import Frozen
from healconsole.core.limits import limits_of
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.report.beats import parse_beats
from healconsole.core.report.judging import judge
from healconsole.core.report.report import Report, ReportCount
from healconsole.core.report.rollout import Evidence, Judgement
from healconsole.core.report.sampling import Sampler
from healconsole.core.report.span import Span, day_of
from healconsole.core.report.steps import STEPS, Step, step_named
from healconsole.core.snapshot import HealerState, Heartbeat
from healconsole.stores.config import Config
from healconsole.stores.documents import NotWritten, read_document, write_document
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.logspan import in_time_order, read_logs, span_logs

SPAN_S: Final = 7 * DAY
"""What a report covers unless told otherwise."""

FORMATS: Final = ("markdown", "json", "html")
_ENDINGS: Final = {".md": "markdown", ".json": "json", ".html": "html", ".htm": "html"}
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


def run(args: argparse.Namespace) -> int:
    """Write the report; of a rollout, the exit code is 1 for a NO-GO.

    Raises:
        UsageError: a time, a step or a combination of options cannot be understood.
        RefusedError: no log can be read, or the report cannot be written.
    """
    form = _form(args)
    config, now = settings(args), time.time()
    known = _known_healers(config)
    if args.rollout is None:
        document = _report(args, config, now, known)
        text, code = _REPORTS[form](document), DONE
    else:
        judgement = _rollout(args, config, now, known)
        text, code = _ROLLOUTS[form](judgement), DONE if judgement.go else REFUSED
        complain(f"{args.rollout}: {judgement.word}: {judgement.reason}")
    if args.output is None:
        write_utf8(text)
        return code
    try:
        write_document(args.output, text)
    except NotWritten as error:
        raise RefusedError(str(error)) from error
    return code


def _report(
    args: argparse.Namespace, config: Config, now: float, known: dict[str, HealerState]
) -> Report:
    if args.step or args.hosts or args.heartbeats:
        raise UsageError("--step, --hosts and --heartbeats go with --rollout NAME")
    span = _span(args, now, SPAN_S)
    count = ReportCount(span, args.names, _limits(known))
    _read(args, config, span, count, count.add)
    report = count.result(local_offset(span.until))
    found = {healer.name for healer in report.healers}
    for name in args.names:
        if name not in found:
            complain(f"there is no event of {name!r} in the span")
    return report


def _rollout(
    args: argparse.Namespace, config: Config, now: float, known: dict[str, HealerState]
) -> Judgement:
    name: str = args.rollout
    if args.names:
        raise UsageError("--rollout is of one healer: name no other")
    step = _step(args.step, known.get(name), name)
    span = _span(args, now, step.days * DAY)
    offset = local_offset(span.until)
    witness = _Witness(ReportCount(span, (name,), _limits(known)), Sampler(), set())
    _read(args, config, span, witness.count, witness.add)
    beats = dict(_heartbeats(args.heartbeats, name, offset))
    healer = known.get(name)
    beat = healer.heartbeat if healer is not None else None
    if isinstance(beat, Heartbeat) and span.holds(beat.at):
        today = frozenset({iso(beat.at, offset)[:10]})
        beats[config.host] = today | beats.get(config.host, frozenset())
    report = witness.count.result(offset)
    fleet = args.hosts or max(1, len(witness.hosts))
    return judge(
        Evidence(name, step, report, fleet, beats, witness.sampler.result(), witness.sampler.blind)
    )


class _Witness(Frozen):
    """Takes lines for the evidence: counts them, and keeps those that a human should see."""

    count: ReportCount
    sampler: Sampler
    hosts: set[str]

    def add(self, line: AuditLine, path: str) -> None:
        event = self.count.add(line, path)
        if event is not None:
            self.sampler.add(event, day_of(event))
            if len(self.hosts) < 100_000:
                self.hosts.add(event.host)


def _read(
    args: argparse.Namespace,
    config: Config,
    span: Span,
    count: ReportCount,
    take: Callable[[AuditLine, str], object],
) -> None:
    """Read every log that may hold events of the span.

    Raises:
        RefusedError: there is none that can be read. An empty report would say that all is well.
    """
    logs: Sequence[Path] = args.log or span_logs(config.audit, span)
    problems = []
    for source in read_logs(in_time_order(logs) if args.log else logs, take):
        count.read(source)
        if source.problem:
            problems.append(f"{source.path}: {source.problem}")
    if len(problems) == len(logs):
        raise RefusedError("no audit log can be read\n" + "\n".join(problems))
    for problem in problems:
        complain(problem)


def _span(args: argparse.Namespace, now: float, length: float) -> Span:
    try:
        until = _instant("--until", args.until, now) if args.until else now
        since = _instant("--since", args.since, now) if args.since else until - length
        return Span(since, until)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _instant(option: str, text: str, now: float) -> float:
    """A span back from now, a time of day, a time in ISO 8601, or a date (its midnight here)."""
    named = _DATE.fullmatch(text)
    if named is not None:
        year, month, day = map(int, named.groups())
        try:
            # mktime takes a 13th month; a calendar does not.
            midnight = date(year, month, day).timetuple()
            return time.mktime((*midnight[:8], -1))
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{option}: {text} is no date") from error
    try:
        found = parse_filter(f'since:"{text}"', now, local_offset(now)).since
    except FilterError as error:
        raise ValueError(f"{option}: {error}") from error
    if found is None:
        raise ValueError(f"{option}: {text!r} is no time")
    return found


def _step(given: str | None, healer: HealerState | None, name: str) -> Step:
    """The step asked for, else that of the catalog."""
    stage = healer.catalog.stage if healer is not None and healer.catalog is not None else ""
    step = step_named(given or stage)
    if step is None:
        words = ", ".join(step.word for step in STEPS)
        said = f"the catalog says stage {stage!r}" if stage else "the catalog names no stage"
        if healer is None:
            said = f"no healer {name!r} is known on this host; of the logs of others"
        raise UsageError(f"{said}: give --step, one of {words}")
    return step


def _heartbeats(path: Path | None, name: str, offset: int) -> dict[str, frozenset[str]]:
    if path is None:
        return {}
    try:
        return dict(parse_beats(read_document(path), name, offset))
    except ValueError as error:
        raise UsageError(f"--heartbeats {path}: {error}") from error
    except Missing as error:
        raise RefusedError(f"--heartbeats: there is no file {path}") from error
    except Unreadable as error:
        raise RefusedError(f"--heartbeats {path}: {error.why}") from error


def _known_healers(config: Config) -> dict[str, HealerState]:
    """Healers of this host, for their limits; none where logs are read away from their host."""
    try:
        return {healer.name: healer for healer in look(config, tail_lines=0).healers}
    except RefusedError:
        return {}


def _limits(known: dict[str, HealerState]) -> Callable[[str], tuple[Policy, bool]]:
    def limits(name: str) -> tuple[Policy, bool]:
        healer = known.get(name)
        if healer is None:
            return DEFAULT_POLICY, True
        found = limits_of(healer)
        return found.policy, found.breaker_assumed

    return limits


def _form(args: argparse.Namespace) -> str:
    if args.json and args.format not in {None, "json"}:
        raise UsageError("--json and --format say different things")
    ending = _ENDINGS.get(args.output.suffix.lower()) if args.output else None
    return "json" if args.json else args.format or ending or "markdown"


def _markdown(report: Report) -> str:
    from healconsole.report.markdown import report_markdown

    return report_markdown(report)


def _json(report: Report) -> str:
    from healconsole.report.objects import report_object

    return to_json(report_object(report)) + "\n"


def _html(report: Report) -> str:
    from healconsole.report.page import report_page

    return report_page(report)


def _rollout_markdown(judgement: Judgement) -> str:
    from healconsole.report.markdown import rollout_markdown

    return rollout_markdown(judgement)


def _rollout_json(judgement: Judgement) -> str:
    from healconsole.report.objects import rollout_object

    return to_json(rollout_object(judgement)) + "\n"


def _rollout_html(judgement: Judgement) -> str:
    from healconsole.report.rolloutpage import rollout_page

    return rollout_page(judgement)


_REPORTS: Final[dict[str, Callable[[Report], str]]] = {
    "markdown": _markdown,
    "json": _json,
    "html": _html,
}
_ROLLOUTS: Final[dict[str, Callable[[Judgement], str]]] = {
    "markdown": _rollout_markdown,
    "json": _rollout_json,
    "html": _rollout_html,
}
