"""What a healer tells Prometheus through the node exporter's textfile collector.

``heal.sh`` writes the same bytes: the node exporter drops a series whose HELP or TYPE differs
between two files. There is no timestamp on a sample, which the collector refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from healconsole.core.breaker import breaker_now
from healconsole.core.bucket import tokens_now
from healconsole.core.fields import format_micro
from healconsole.core.frozen import Frozen, field, replace
from healconsole.core.records import BreakerRecord, BucketRecord, Corrupt, Policy
from healconsole.core.scopes import is_scope_file_name, scope_of_file
from healconsole.core.words import Circuit, Guardrail, Outcome

LAST_CYCLE: Final = "heal_last_cycle_timestamp_seconds"

ACTIONS: Final = (
    Outcome.SUCCESS,
    Outcome.DRY_RUN,
    Outcome.VERIFY_FAILED,
    Outcome.ACTION_FAILED,
    Outcome.TIMED_OUT,
    Outcome.INTERRUPTED,
)
"""Outcomes that are counted as acts."""
DENIERS: Final = (
    Guardrail.INTENT,
    Guardrail.HOLD,
    Guardrail.IDEMPOTENCY,
    Guardrail.RATE,
    Guardrail.CIRCUIT,
    Guardrail.FLEET,
    Guardrail.RECORD,
)
"""Guardrails by which denials are counted."""
STATES: Final = (
    Circuit.CLOSED,
    Circuit.HALF_OPEN,
    Circuit.OPEN,
    Circuit.FORCED_OPEN,
    Circuit.CORRUPT,
)
"""States of a breaker, from the best to the worst."""

MOST_LABELS: Final = 32
"""Scopes of one healer that are told: each costs Prometheus six series."""
LONGEST_LABEL: Final = 128
"""Bytes."""

_HELP: Final = {
    LAST_CYCLE: ("gauge", "When the healer last finished a cycle."),
    "heal_cycles_total": ("counter", "Cycles that the healer has finished."),
    "heal_actions_total": ("counter", "Acts by their outcome; dry-run is one that was rehearsed."),
    "heal_denials_total": ("counter", "Cycles that ended with a denial, by the guardrail."),
    "heal_breaker_state": ("gauge", "Whether the breaker of the scope is in this state."),
    "heal_tokens": ("gauge", "Acts that the token bucket of the scope allows now."),
    "heal_dry_run": ("gauge", "Whether acts are rehearsed and not done."),
}
_COUNT: Final = re.compile(
    r'^heal_(actions|denials)_total\{healer="([A-Za-z0-9._-]+)",(?:outcome|guard)="([a-z-]+)"\}'
    r" (0|[1-9][0-9]{0,14})$",
    re.MULTILINE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Tally(Frozen):
    """Acts by outcome and denials by guardrail; what is not named is 0."""

    actions: Mapping[str, int] = field(default_factory=dict)
    denials: Mapping[str, int] = field(default_factory=dict)

    def acted(self, outcome: str, times: int = 1) -> Tally:
        """The tally with ``times`` more acts that ended in ``outcome``."""
        return replace(self, actions=_more(self.actions, outcome, times))

    def denied(self, guard: str) -> Tally:
        """The tally with one more denial by ``guard``."""
        return replace(self, denials=_more(self.denials, guard, 1))


class ScopeFiles(Frozen):
    """What the files of one scope hold; None where there is none."""

    file: str
    breaker: BreakerRecord | Corrupt | None
    bucket: BucketRecord | Corrupt | None


class ScopeSample(Frozen):
    """A scope as it is told; ``label`` is never a whole intent."""

    label: str
    state: Circuit
    tokens_micro: int


def parse_tally(text: str, healer: str) -> Tally:
    """The counts in a file that was written before; anything else in it is ignored.

    >>> parse_tally('heal_actions_total{healer="h",outcome="success"} 7\\n', "h").actions
    {'success': 7}
    """
    found: dict[str, dict[str, int]] = {"actions": {}, "denials": {}}
    for kind, name, word, count in _COUNT.findall(text):
        known = ACTIONS if kind == "actions" else DENIERS
        if name == healer and word in known:
            found[kind].setdefault(word, int(count))
    return Tally(found["actions"], found["denials"])


def scope_label(file: str) -> str:
    """How the scope of this file is told: its first word, for a scope may be a whole intent.

    One that a label cannot carry is told by the beginning of the file's name.

    >>> scope_label("restart_worker"), scope_label("restart%20pid=7"), scope_label("%FF")
    ('restart_worker', 'restart', '%FF')
    """
    kept, hashed, _ = file.partition("%~")
    scope = scope_of_file(kept)
    word, blank, _ = scope.partition(" ")
    try:
        size = len(word.encode())
    except UnicodeEncodeError:
        size = 0
    cut = hashed and not blank
    if cut or not 0 < size <= LONGEST_LABEL or _CONTROL.search(word):
        return file[:LONGEST_LABEL]
    return word


def scope_samples(
    files: Iterable[ScopeFiles], policy: Policy, now: float
) -> tuple[ScopeSample, ...]:
    """What to tell of each scope. Scopes that share a label are told as the worst of them."""
    found: dict[str, ScopeSample] = {}
    for scope in files:
        if not is_scope_file_name(scope.file):
            continue
        label = scope_label(scope.file)
        sample = ScopeSample(
            label, _state(scope.breaker, policy, now), _tokens(scope.bucket, policy, now)
        )
        other = found.get(label)
        if other is not None:
            worst = max(sample.state, other.state, key=STATES.index)
            sample = ScopeSample(label, worst, min(sample.tokens_micro, other.tokens_micro))
        elif len(found) == MOST_LABELS:
            continue
        found[label] = sample
    return tuple(found.values())


def format_metrics(
    healer: str,
    at: float,
    cycles: int,
    tally: Tally,
    scopes: Iterable[ScopeSample],
    *,
    dry_run: bool,
) -> str:
    """The whole file.

    Args:
        healer: its name.
        at: when its last cycle ended, in epoch seconds.
        cycles: how many it has finished.
        tally: its acts and denials.
        scopes: its breakers and buckets.
        dry_run: whether it only rehearses.
    """
    told = tuple(scopes)
    me = f'healer="{healer}"'
    samples: dict[str, list[str]] = {
        LAST_CYCLE: [f"{{{me}}} {at:.3f}"],
        "heal_cycles_total": [f"{{{me}}} {cycles}"],
        "heal_actions_total": [
            f'{{{me},outcome="{outcome}"}} {tally.actions.get(outcome, 0)}' for outcome in ACTIONS
        ],
        "heal_denials_total": [
            f'{{{me},guard="{guard}"}} {tally.denials.get(guard, 0)}' for guard in DENIERS
        ],
        "heal_breaker_state": [
            f'{{{me},scope="{_quoted(scope.label)}",state="{state}"}} {int(scope.state is state)}'
            for scope in told
            for state in STATES
        ],
        "heal_tokens": [
            f'{{{me},scope="{_quoted(scope.label)}"}} {format_micro(scope.tokens_micro)}'
            for scope in told
        ],
        "heal_dry_run": [f"{{{me}}} {int(dry_run)}"],
    }
    lines: list[str] = []
    for metric, found in samples.items():
        kind, says = _HELP[metric]
        if found:
            lines += [f"# HELP {metric} {says}", f"# TYPE {metric} {kind}"]
            lines += [metric + sample for sample in found]
    return "\n".join(lines) + "\n"


def _state(breaker: BreakerRecord | Corrupt | None, policy: Policy, now: float) -> Circuit:
    if isinstance(breaker, Corrupt):
        return Circuit.CORRUPT
    return breaker_now(
        breaker, policy.max_failures, policy.cooldown, now, lease=policy.probe_lease
    ).state


def _tokens(bucket: BucketRecord | Corrupt | None, policy: Policy, now: float) -> int:
    """Micro-tokens; a corrupt bucket denies, as an empty one does."""
    if isinstance(bucket, Corrupt):
        return 0
    return tokens_now(bucket, policy.rate_micro, policy.burst, now)


def _quoted(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"')


def _more(counts: Mapping[str, int], word: str, times: int) -> dict[str, int]:
    return {**counts, word: counts.get(word, 0) + times}
