"""The questions that a step's evidence is asked before a healer is promoted."""

from __future__ import annotations

from collections import Counter
from typing import Final

from healconsole.core.report.rollout import Evidence, Finding, Judgement, Level, listed
from healconsole.core.report.tally import USUAL, HealerTally
from healconsole.core.words import Outcome

ENOUGH_SUCCESS: Final = 0.9
"""Share of the acts that must succeed before more hosts act."""


def judge(evidence: Evidence) -> Judgement:
    """Ask `evidence` every question."""
    tally = evidence.tally
    if tally is None and not evidence.beats:
        nothing = f"neither an event nor a heartbeat of {evidence.healer} lies in the span"
        return Judgement(evidence, (Finding(Level.STOP, "Is there any evidence?", nothing),))
    findings = [
        _volume(evidence, tally),
        _long_enough(evidence),
        _alive(evidence),
        _mode(evidence, tally),
        _seeing(evidence),
    ]
    if tally is not None:
        findings.append(_throttled(tally))
        if not evidence.step.dry:
            findings += [_outcomes(tally), _circuits(tally)]
        findings.append(_operators(tally))
    findings.append(_readable(evidence))
    return Judgement(evidence, tuple(findings))


def usual_of_fleet(hosts: int) -> int:
    """Return how many acts a day are usual on so many hosts.

    One host may have its bad day; that the others have theirs on the same day is not chance.

    >>> usual_of_fleet(1), usual_of_fleet(50)
    (5, 54)
    """
    return USUAL + max(0, hosts - 1)


def _volume(evidence: Evidence, tally: HealerTally | None) -> Finding:
    question = "Is what it wants to do plausible?"
    done = tally.actions if tally else 0
    rehearsed = evidence.step.dry and not done
    what = "would-be actions" if rehearsed else "actions, done or rehearsed,"
    acts: Counter[tuple[str, str]] = Counter()
    for key, on in (tally.days if tally else {}).items():
        acts[key] = on.actions + on.would_be
    daily: Counter[str] = Counter()
    for (_, day), number in acts.items():
        daily[day] += number
    hosts = max(evidence.fleet, len(evidence.hosts), 1)
    usual = usual_of_fleet(hosts)
    day, most = max(daily.items(), key=lambda item: item[1], default=("", 0))
    if most > usual:
        return Finding(
            Level.STOP,
            question,
            f"{most} {what} on {day} over {_hosts(hosts)}: a bug in decide, not a busy day "
            f"(usual: 0 to {USUAL} on one host, and at most {usual} over them all)",
        )
    (host, day), worst = max(acts.items(), key=lambda item: item[1], default=(("", ""), 0))
    if worst > USUAL:
        return Finding(
            Level.STOP,
            question,
            f"{worst} {what} on {host} on {day}; usual are 0 to {USUAL} on a host and day",
        )
    total = sum(acts.values())
    if not total:
        return Finding(
            Level.STOP,
            question,
            "it wanted nothing in all this time, so nothing was tried: "
            "cause what it heals once, on purpose, and ask again",
        )
    named = ("would-be " if rehearsed else "") + ("action" if total == 1 else "actions")
    return Finding(
        Level.OK,
        question,
        f"{total} {named if rehearsed else f'{named} ({done} done, {total - done} rehearsed)'} "
        f"in {_days(len(evidence.report.days))}; at most {worst} on a host and day, "
        f"{most} a day over {_hosts(hosts)}",
    )


def _long_enough(evidence: Evidence) -> Finding:
    question = f"Was it watched for {_days(evidence.step.days)}?"
    lived = set().union(*(evidence.signs(host) for host in evidence.hosts))
    signs = [day for day in evidence.report.days if day in lived]
    said = f"{len(signs)} of {_days(evidence.step.days)} have a sign of life"
    if len(signs) < evidence.step.days:
        return Finding(Level.STOP, question, said)
    return Finding(Level.OK, question, f"yes: {_days(len(signs))} have a sign of life")


def _alive(evidence: Evidence) -> Finding:
    question = "Was it alive on every day?"
    missing = evidence.missing()
    mend = "" if evidence.beats else "; a quiet healer writes no event, so bring its --heartbeats"
    if missing:
        number = sum(len(days) for days in missing.values())
        where = listed(f"{host} ({listed(days)})" for host, days in missing.items())
        return Finding(Level.STOP, question, f"{_days(number)} without a heartbeat: {where}{mend}")
    recent = set(evidence.report.days[-2:])
    silent = [host for host in evidence.hosts if not evidence.signs(host) & recent]
    if silent:
        return Finding(
            Level.STOP, question, f"no sign of life in the last day: {listed(silent)}{mend}"
        )
    unseen = evidence.fleet - len(evidence.hosts)
    if evidence.step.dry and unseen > 0:
        return Finding(
            Level.STOP,
            question,
            f"{unseen} of {_hosts(evidence.fleet)} never showed a sign of it{mend}",
        )
    return Finding(Level.OK, question, f"yes, on {_hosts(len(evidence.hosts))}")


def _mode(evidence: Evidence, tally: HealerTally | None) -> Finding:
    step = evidence.step
    question = "Did nothing act?" if step.dry else f"Did it act as for {step.title}?"
    acting = sorted({host for (host, _), on in (tally.days if tally else {}).items() if on.actions})
    most = step.may_act_on(evidence.fleet)
    number = tally.actions if tally else 0
    if len(acting) > most:
        said = f"{number} actions on {_hosts(len(acting))} ({listed(acting)}); "
        may = "none may" if not most else f"{most} of {evidence.fleet} may"
        return Finding(Level.STOP, question, f"{said}{may} act in this step")
    if not step.dry and not acting:
        return Finding(
            Level.STOP, question, "it never acted: rehearsals are no evidence for this step"
        )
    if step.dry:
        return Finding(Level.OK, question, "yes, all of it was rehearsed")
    return Finding(
        Level.OK, question, f"yes: {number} actions on {_hosts(len(acting))} ({listed(acting)})"
    )


def _seeing(evidence: Evidence) -> Finding:
    question = "Did it act on what it saw?"
    if evidence.blind:
        return Finding(
            Level.STOP,
            question,
            f"{evidence.blind} times it wanted to act on a measurement that had failed (=ERROR): "
            "a failed measurement is no reason to act",
        )
    return Finding(Level.OK, question, "yes: no act rests on a failed measurement")


def _throttled(tally: HealerTally) -> Finding:
    question = "Did the guardrails hold it back, beyond idempotency?"
    held = {guard: tally.denials.get(guard, 0) for guard in ("rate", "circuit", "fleet")}
    said = listed(f"{number} by {guard}" for guard, number in held.items() if number)
    if said:
        return Finding(
            Level.CAUTION, question, f"denied {said}: it wants more than it is allowed; see why"
        )
    return Finding(Level.OK, question, "no")


def _outcomes(tally: HealerTally) -> Finding:
    question = "Do its acts help?"
    good, bad = tally.outcomes.get(Outcome.SUCCESS, 0), tally.failures
    broken = {
        word: tally.outcomes[word]
        for word in (Outcome.TIMED_OUT, Outcome.INTERRUPTED)
        if tally.outcomes.get(word)
    }
    if broken:
        said = listed(f"{number} {word}" for word, number in broken.items())
        return Finding(Level.STOP, question, f"{said}: it is not known what these acts did")
    if good + bad and good / (good + bad) < ENOUGH_SUCCESS:
        return Finding(
            Level.STOP,
            question,
            f"only {good} of {good + bad} acts succeeded; {ENOUGH_SUCCESS:.0%} are asked for",
        )
    if bad:
        return Finding(Level.CAUTION, question, f"{good} of {good + bad} acts succeeded")
    return Finding(Level.OK, question, f"{good} acts, all succeeded")


def _circuits(tally: HealerTally) -> Finding:
    question = "Did its breaker stay closed?"
    opened = [episode for episode in tally.circuits.episodes if not episode.by]
    if opened:
        last = opened[-1]
        return Finding(
            Level.STOP,
            question,
            f"it opened {_times(len(opened))}, last on {last.host} for {last.scope}: {last.why}",
        )
    return Finding(Level.OK, question, "yes")


def _operators(tally: HealerTally) -> Finding:
    question = "Did nobody have to stop it?"
    stopped = [episode for episode in tally.circuits.episodes if episode.by]
    if stopped:
        last = stopped[-1]
        return Finding(
            Level.STOP,
            question,
            f"{last.by} stopped it on {last.host}: {last.why}"
            + (f" ({len(stopped)} times in all)" if len(stopped) > 1 else ""),
        )
    return Finding(Level.OK, question, "nobody did")


def _readable(evidence: Evidence) -> Finding:
    question = "Is the evidence whole?"
    reading = evidence.report.reading
    broken = [source for source in reading.sources if source.problem]
    if broken:
        said = listed(f"{source.path} {source.problem}" for source in broken)
        return Finding(Level.STOP, question, f"not all of it could be read: {said}")
    if reading.unparsable or reading.timeless:
        return Finding(
            Level.CAUTION,
            question,
            f"lines that do not parse: {reading.unparsable}, without a time: {reading.timeless}; "
            "what they tell is not counted",
        )
    return Finding(Level.OK, question, f"yes: {reading.lines} lines, each parsed")


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _hosts(number: int) -> str:
    return "1 host" if number == 1 else f"{number} hosts"
