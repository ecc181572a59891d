"""An operator's acts on other hosts: planned on what they publish, done there over ssh.

Over Redis nobody can make a host act. Each act is a command of the program there, run with the
operator's own rights there and audited there; it plans anew, on the state as it is by then.
"""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from healconsole.core.acts import plan_dry_run, plan_release, plan_reset, plan_trip
from healconsole.core.auditline import AuditLine
from healconsole.core.explain import explain, sentence
from healconsole.core.frozen import Frozen, replace
from healconsole.core.hostdoc import is_host_name
from healconsole.core.plan import ActPlan, ActRefused, operable
from healconsole.core.remoteanswer import Came, RemoteAnswer, answer_of
from healconsole.core.request import Request
from healconsole.core.requestdoc import seal
from healconsole.core.snapshot import CatalogEntry, HealerState, Snapshot
from healconsole.engine.operators import Operator
from healconsole.engine.reasons import checked_reason
from healconsole.stores.apply import Applied, NotApplied, UndoRecord
from healconsole.stores.since import Since

HOST = "{host}"
"""In the command: where the name of the host stands. What follows is run there."""

AT_ONCE = 16
"""Hosts that are spoken to at the same time."""
TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 1_200.0
"""A cycle takes as long as its action, its settling and its check may."""
_KEPT = 65_536


def remote_argv(command: Sequence[str], host: str, words: Sequence[str]) -> list[str]:
    """The command that runs ``words`` of the program on ``host``.

    What stands behind `HOST` is one argument, quoted for the shell that is there.

    >>> remote_argv(("ssh", "--", "{host}", "sudo", "-n", "healconsole"), "web-07", ("trip", "a b"))
    ['ssh', '--', 'web-07', "sudo -n healconsole trip 'a b'"]

    Raises:
        ActRefused: ``host`` is not the name of a host.
    """
    if not is_host_name(host):
        raise ActRefused(f"{host!r} is not the name of a host")
    place = list(command).index(HOST)
    return [*command[:place], host, shlex.join([*command[place + 1 :], *words])]


class RemoteDesk(Frozen):
    """Plans on published state, and acts over ssh.

    Args:
        operator: who acts, as this host knows; the other host says itself whom it sees.
        clock: epoch seconds.
        command: argv with `HOST` in it.
    """

    operator: Operator
    clock: Callable[[], float]
    command: tuple[str, ...]
    four_eyes: frozenset[str] = frozenset()
    """None: the other host's configuration says what wants a second person there."""
    second_within: float = 0.0

    def plan_trip(
        self, healer: HealerState, scope: str | None = None, for_s: float | None = None
    ) -> ActPlan:
        """Force open one scope, or (None) the whole healer."""
        words = (f"--scope={scope}",) if scope is not None else ()
        if for_s is not None:
            words = (*words, f"--for={math.ceil(for_s)}s")
        return self._there(
            healer, words, plan_trip(healer, scope, for_s, self.operator.word, self.clock())
        )

    def plan_reset(
        self,
        healer: HealerState,
        scope: str | None = None,
        to: str = "half-open",
        events: Sequence[AuditLine] = (),
    ) -> ActPlan:
        """Let a scope, or (None) all of them, act again."""
        words = (*((f"--scope={scope}",) if scope is not None else ()), f"--to={to}")
        of_host = [event for event in events if getattr(event, "host", "") == healer.host]
        return self._there(healer, words, plan_reset(healer, scope, to, self.clock(), of_host))

    def plan_dry_run(self, healer: HealerState, *, on: bool) -> ActPlan:
        """Turn rehearsal on or off."""
        plan = plan_dry_run(healer, on, self.operator.word, self.clock())
        return self._there(healer, ("on" if on else "off",), plan)

    def plan_release(self, healer: HealerState) -> ActPlan:
        """Take back a hold."""
        return self._there(healer, (), plan_release(healer, self.clock()))

    def plan_run(self, healer: HealerState, snapshot: Snapshot) -> ActPlan:
        """Run one guarded cycle."""
        operable(healer)
        if healer.catalog is None or not healer.catalog.command:
            raise ActRefused(f"{healer.id} has no command in the catalog of its host")
        now = self.clock()
        said = sentence(explain(healer, snapshot, None, now), now, 0)
        plan = ActPlan(
            verb="run",
            healer=healer.name,
            scope=None,
            changes=(),
            now_lines=(said,),
            after_lines=("one cycle: it detects and decides anew, the guardrails decide there",),
            next_lines=(),
            warnings=(),
            before="",
            after="",
            destructive=False,
        )
        return self._there(healer, (), plan)

    def apply(self, plan: ActPlan, *, reason: str, incident: str = "") -> Applied:
        """Do on its host what a plan shows; see `answers` for several."""
        answer = self.ask(plan, reason=reason, incident=incident)
        if answer.came is not Came.DONE:
            raise NotApplied(f"{plan.healer}: {answer.says}")
        return Applied(undo_of(plan, answer), answer.unlogged)

    def changed_since(self, record: UndoRecord, utc_offset_s: int) -> tuple[Since, ...]:
        """Nothing that is known here: the act's host looks when it is taken back."""
        del record, utc_offset_s
        return ()

    def undo(self, record: UndoRecord, *, reason: str, incident: str = "") -> Applied:
        """Take an act back on its host, if it is the last one there, and nothing changed since."""
        host, _, name = record.healer.partition("/")
        if not record.act:
            raise ActRefused(f"{record.healer}: its host did not say how to take it back")
        words = ["undo", name, f"--act={record.act}", *_why(reason, incident)]
        answer = self._run(host, words, TIMEOUT_S)
        if answer.came is not Came.DONE:
            raise NotApplied(f"{host}: {answer.says}")
        undone = replace(record, verb="undo", before=record.after, after=record.before)
        return Applied(undone, answer.unlogged)

    def read(self, name: str, catalog: CatalogEntry | None = None) -> HealerState:
        """Nothing of another host is read from here."""
        del catalog
        raise ActRefused(f"{name}: what its host publishes is all that is known here")

    def answers(
        self, plans: Sequence[ActPlan], *, reason: str, incident: str = ""
    ) -> Iterator[tuple[ActPlan, RemoteAnswer]]:
        """Do several acts side by side; yields each with its answer, as they come in."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            running = {
                pool.submit(self.ask, plan, reason=reason, incident=incident): plan
                for plan in plans
            }
            for future in as_completed(running):
                yield running[future], future.result()

    def ask(self, plan: ActPlan, *, reason: str, incident: str = "") -> RemoteAnswer:
        """Run the command of one plan on its host, and return what it came to."""
        host, _, name = plan.healer.partition("/")
        words = [plan.verb, name, *plan.words, *_why(reason, incident)]
        return self._run(host, words, RUN_TIMEOUT_S if plan.verb == "run" else TIMEOUT_S)

    def second(self, request: Request, *, approves: bool, reason: str) -> Applied | None:
        """Approve or decline a request on its host, if it is there as it was shown here.

        Returns:
            What was done; None where it was declined.

        Raises:
            NotApplied: it was not, or nobody knows.
            ActRefused: the reason is empty.
        """
        verb = "approve" if approves else "decline"
        shown = f"--as-shown={seal(request)}"
        answer = self._run(
            request.host, [verb, request.id, shown, f"--reason={checked_reason(reason)}"], TIMEOUT_S
        )
        if answer.came is not Came.DONE:
            raise NotApplied(f"{request.host}: {answer.says}")
        if not approves:
            return None
        return Applied(
            UndoRecord(
                request.healer_id, request.verb, request.scope, (), request.before, request.after,
                answer.act,
            ),
            answer.unlogged,
        )  # fmt: skip

    def _run(self, host: str, words: Sequence[str], timeout_s: float) -> RemoteAnswer:
        try:
            argv = remote_argv(self.command, host, words)
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                # Its own session: a key at the console, or its end, is no key for ssh.
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},
                timeout=timeout_s,
                check=False,
            )
        except ActRefused as error:
            return RemoteAnswer(Came.NOT_DONE, str(error))
        except subprocess.TimeoutExpired as error:
            says = f"no answer in {error.timeout:.0f} s: look at its audit log"
            return RemoteAnswer(Came.UNKNOWN, says)
        except OSError as error:
            why = error.strerror or str(error)
            return RemoteAnswer(Came.NOT_DONE, f"{self.command[0]} cannot be run here: {why}")
        return answer_of(done.returncode, _text(done.stdout), _text(done.stderr))

    def _there(self, healer: HealerState, words: tuple[str, ...], plan: ActPlan) -> ActPlan:
        warnings = plan.warnings
        if healer.lost_since is not None:
            warnings = (f"{healer.host} is LOST: this is what it told last", *warnings)
        return replace(plan, healer=healer.id, words=words, warnings=warnings)


def undo_of(plan: ActPlan, answer: RemoteAnswer) -> UndoRecord:
    """What takes an act on another host back."""
    return UndoRecord(plan.healer, plan.verb, plan.scope, (), plan.before, plan.after, answer.act)


def _why(reason: str, incident: str) -> tuple[str, ...]:
    said = (f"--reason={checked_reason(reason)}",)
    return (*said, f"--incident={incident.strip()}") if incident.strip() else said


def _text(raw: bytes) -> str:
    return raw[-_KEPT:].decode("utf-8", "replace")
