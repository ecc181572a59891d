"""What ``--help`` of the operator's acts says below the options."""

from __future__ import annotations

from typing import Final

TRIP: Final = """\
A tripped breaker denies until the time given, or until a reset. Without --scope the
whole healer is held: a hold for the healers of this project, and every scope that is
known forced open, which is all that stops a healer on the older library.

examples:
  healconsole trip worker-queue-healer --for 30m --reason 'deploy 5121' --incident INC-4711
  healconsole trip legacy-mailq --scope 'flush_queue' --reason 'mail relay is being moved'
"""

RESET: Final = """\
For after the human investigation. Into half-open, one cycle may act once: success
closes the breaker, failure opens it for another cooldown. Without --scope every scope
is reset, and a hold on the healer is released. A corrupt file is mended, and its
bytes are kept in aside/.

examples:
  healconsole reset worker-queue-healer --reason 'rolled back deploy 5121' --incident INC-4711
  healconsole reset worker-queue-healer --scope restart_worker --to closed --reason 'by hand'
"""

DRY_RUN: Final = """\
`on` makes the healer write what it would have done; `off` makes it act, whatever
DRY_RUN says in its environment. A healer on the older library reads its environment
only: for it the command is refused, and says how to do it instead.

examples:
  healconsole dry-run disk-reaper on --reason 'watching it for a day first'
  healconsole dry-run disk-reaper off --reason 'rehearsal was right'
"""

RELEASE: Final = """\
Takes back the hold that a trip of the whole healer put on it. Scopes that are forced
open stay so; reset them.

examples:
  healconsole release worker-queue-healer --reason 'deploy done'
"""

UNDO: Final = """\
The last trip, reset, release or dry-run on the healer, whoever did it: the bytes that it
replaced are put back, if nothing else has changed what it left. Each act tells its ID;
with --act nothing but that one is taken back.

examples:
  healconsole undo worker-queue-healer --reason 'reset too early'
  healconsole undo worker-queue-healer --act 5d0c1e --reason 'wrong host'
"""

APPROVE: Final = """\
Where the configuration has [operators] four_eyes = ["reset"], a reset is not done but
asked for. Somebody with another login uid, as the kernel knows it, approves it within its
time, and then exactly what was asked for is done, if the state is still what it was.
Alone, in an emergency: --break-glass with the act, which the log tells loudly.

examples:
  healconsole approve
  healconsole approve 3f9a1c --reason 'seen, the queue drains'
"""

DECLINE: Final = """\
For a request that shall not be approved, also your own. Nothing of the healer changes, and
the event is in the audit log. The fleet's screen does this over SSH with --as-shown: a seal
of what was shown there, so that nothing else is approved or declined than that.

examples:
  healconsole decline 3f9a1c --reason 'the queue is not drained yet'
"""

HALT: Final = """\
Without --healer or --hosts the whole fleet. Every guarded cycle of every host that has
this Redis asks for it before it acts; what runs already goes on to its end. It does not
stop `healconsole run`, which is an operator's own act. The event is in the audit log of
this host.

examples:
  healconsole halt --reason 'deploy 5121' --for 30m
  healconsole halt --healer worker-queue-healer --reason 'it restarts the wrong workers'
  healconsole halt --hosts 'web-*' --reason 'kernel update'
"""

RESUME: Final = """\
Ends the halt of the same --healer, --hosts, or of the whole fleet. A storm is what the
storm brake found: more hosts wanted to act on one scope than may; look for the cause
that they share before it is released.

examples:
  healconsole resume --reason 'deploy 5121 is done'
  healconsole resume --storm restart_worker --reason 'the broker is back'
"""

BREAK_LOCK: Final = """\
For a lock whose holder is gone and whose lease does not end soon. It is taken away only
if --token still holds it: what was taken meanwhile stays taken. A holder that lives
ends its action when it finds out. The event is in the audit log of this host.

examples:
  healconsole locks --json | jq -r '.locks[] | select(.ghost != "") | .key, .owner, .ghost'
  healconsole break-lock broker --token web-19/healer/4211/8d1f6f0e --reason 'web-19 burnt down'
"""

RUN: Final = """\
Detect and decide run first, and the verdict of the guardrails is shown; if they
allow, the cycle acts and verifies. A healer that runs as a daemon is asked to run its
cycle now; else the command of its catalog entry is run once. Ctrl-C cancels.

examples:
  healconsole run worker-queue-healer --reason 'probe after the rollback'
"""
