"""What ``--help`` says below the options: examples, and the exit codes that matter."""

from __future__ import annotations

from typing import Final

USAGE: Final = {
    "": "healconsole [--fleet] [--wall] [common options]\n"
    "       healconsole [common options] COMMAND ...",
    "status": "healconsole status [NAME ...] [--fleet] [--json]",
    "tail": "healconsole tail [-n N] [-f] [--filter F] [--json]",
    "explain": "healconsole explain NAME [--intent I] [--json]",
    "locks": "healconsole locks [--json]",
    "verify": "healconsole verify [FILE ...] [--expect HASH] [--json]",
    "report": (
        "healconsole report [NAME ...] [--since T] [--until T] [--log FILE ...] [--format F]\n"
        "                          [--output FILE]\n"
        "       healconsole report --rollout NAME [--step STEP] [--hosts N] [--heartbeats FILE]"
    ),
    "trip": "healconsole trip NAME [--scope S] [--for TIME] --reason R [--incident I]",
    "reset": (
        "healconsole reset NAME [--scope S] [--to half-open|closed] --reason R [--incident I]"
    ),
    "dry-run": "healconsole dry-run NAME on|off --reason R [--incident I]",
    "release": "healconsole release NAME --reason R [--incident I]",
    "halt": (
        "healconsole halt [--healer NAME | --hosts PATTERN] [--for TIME] --reason R [--incident I]"
    ),
    "resume": (
        "healconsole resume [--healer NAME | --hosts PATTERN | --storm SCOPE] --reason R\n"
        "                          [--incident I]"
    ),
    "undo": "healconsole undo NAME [--act ID] --reason R [--incident I]",
    "approve": "healconsole approve [ID --reason R]",
    "decline": "healconsole decline ID --reason R",
    "run": "healconsole run NAME --reason R [--incident I]",
    "serve": (
        "healconsole serve [--fleet] [--bind ADDRESS] [--port N] [--url URL] [--token-file FILE]\n"
        "                         [--seats N]"
    ),
    "publish": "healconsole publish [--once | --leave] [--lease TIME]",
    "break-lock": "healconsole break-lock KEY --token T --reason R [--incident I]",
    "heal-sh": "healconsole heal-sh",
    "completion": "healconsole completion bash|zsh|fish",
    "guard": "healconsole guard --healer NAME --intent I [options] -- CMD ...",
    "heal": "healconsole heal FILE [options]",
    "init": (
        "healconsole init NAME --lang bash|python|toml [--dir DIR] [--prefix DIR]\n"
        "                        [--owner TEAM] [--runbook URL]"
    ),
    "check": "healconsole check [NAME ...]",
    "gc": "healconsole gc [NAME ...] [--age TIME] [--dry-run] [--json]",
    "doctor": "healconsole doctor [NAME ...] [--json] [--skip ID] [--rules DIR] [options]",
    "demo": "healconsole demo [fix | env] [--script | --bad]",
}
"""The first line of each page; common options are told once, below."""

PROGRAM: Final = """\
Operate auto-remediation healers: see which healer stopped and why, and trip, reset,
rehearse or run it. Without a command it opens the console on this terminal; with one
it answers in text or JSON, for scripts and for terminals that cannot draw.

Looking never changes anything. An act asks for a reason, is written to the audit log
before it has any effect, and is refused if the state is no longer what it was.
"""

PROGRAM_END: Final = """\
examples:
  healconsole                          the console
  healconsole --wall                   big and read-only, for a screen on a wall
  healconsole --fleet                  all hosts that publish in the Redis of --redis
  healconsole status                   one look, in text
  healconsole explain worker-queue-healer
  healconsole trip worker-queue-healer --for 30m --reason 'deploy 5121'
  healconsole demo                     a private site with healers that really break

exit codes:
  0    done
  1    refused or failed: the message says why, and what is still true
  2    usage: the command line or the configuration cannot be understood
  130  interrupted

files:
  /etc/heal/healconsole.toml, $XDG_CONFIG_HOME/healconsole/config.toml
"""

STATUS: Final = """\
examples:
  healconsole status
  healconsole status worker-queue-healer disk-reaper
  healconsole status --json | jq -r '.healers[] | select(.verdict.allow | not) | .name'

With --fleet the healers are those of all hosts that `healconsole publish` tells of, and
NAME is HOST/HEALER.

`~` marks a limit that is assumed, because the healer does not declare it.
"""

TAIL: Final = """\
A filter is words that all must match: bare words are looked for anywhere in the
event; FIELD:GLOB looks at one field (healer, outcome, intent, scope, host, guard,
reason, fact, operator, incident); since:2h and until:10m limit the time; a leading
- turns a word round; "quotes" keep blanks.

examples:
  healconsole tail -f
  healconsole tail -n 50 --filter 'healer:worker* outcome:verify-failed since:2h'
  healconsole tail --json --filter 'incident:INC-4711' -n 1000

An unparsable line is shown as such. Ctrl-C ends following with exit code 130.
"""

EXPLAIN: Final = """\
The guardrails are asked in their order, on the state of now; each says what it saw,
and the answer names the earliest time at which it can change by itself. Nothing is
spent by asking.

examples:
  healconsole explain worker-queue-healer
  healconsole explain worker-queue-healer --intent 'restart_worker pid=12440'

exit codes: 0 answered, whatever the answer; 1 no such healer or it cannot be read.
"""

LOCKS: Final = """\
A holder is HOST/HEALER/PID where the token says it; an older token is opaque. If
Redis does not answer, the locks are unknown, which never means free, and the exit
code is 1.

examples:
  healconsole locks
  healconsole locks --json
"""

VERIFY: Final = """\
Each event of ours tells the hash of the event before it, and its own. The log is walked
from its oldest rotated file, plain or compressed, to its end; the first line that was
edited, removed, put in or moved is named, and those behind it. Lines of older healers
carry no hash: they are allowed, counted, and not covered.

The chain has no key. It tells of an edit by whoever does not rewrite all that follows;
what was cut off the end it cannot tell, unless you kept the last hash elsewhere: print
it with --json, and ask with --expect whether it is still in the chain.

examples:
  healconsole verify
  healconsole verify --json | jq -r .logs[0].last
  healconsole verify web-*/audit.jsonl

exit codes: 0 the chain holds; 1 it does not, or a file cannot be read.
"""

REPORT: Final = """\
For each healer: actions, outcomes, denials by guardrail, openings and resets of its
breaker with their reasons, time open, MTTR from the first fact to success, and actions
per host and day against the usual 0 to 5. The audit log is read with its rotated files,
plain or compressed (gzip, bzip2, xz; zstd where the program zstd is installed). With
--log, logs that were collected from any number of hosts.

A time is a span back (2h, 7d), a time of day, a date, or ISO 8601 with an offset. The
log has no event "opened": the breaker is worked out from failures, denials and operators'
acts, on the limits that the healer or the catalog declares. A day is that of the host's
own clock. Lines that do not parse are counted, and the first are shown.

--rollout asks whether NAME may take its next step, and says GO or NO-GO with the reason:
dry-run on a dev fleet (dev, 1 day), dry-run in production (dry-run, 7), one canary host
(canary, 3), then 10%, 25%, 50% and 100% over a week. A quiet healer writes no event, so
days without a heartbeat are told from --heartbeats, Prometheus' answer to query_range
for heal_last_cycle_timestamp_seconds.

examples:
  healconsole report
  healconsole report worker-queue-healer --since 30d --format html --output july.html
  healconsole report --log web-*/audit.jsonl* --since 2026-07-01 --until 2026-08-01 --json
  healconsole report --rollout worker-queue-healer --step dry-run --hosts 50

exit codes: 0 written, or GO; 1 NO-GO, or no log can be read; 2 usage.
"""
