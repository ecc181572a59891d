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
    "approve": "healconsole approve [ID --reason R]",
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
    "demo": "healconsole demo [fix] [--script | --bad]",
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

PUBLISH: Final = """\
Puts the healers of this host, as the console shows them, and its audit events in Redis,
for `healconsole --fleet` anywhere. Writes nothing on this host: how far the audit log was
published stands in Redis. Goes on through a Redis that restarts or forgets, and catches
up. A host that says nothing for the time of --lease is shown as LOST, until --leave takes
it off the fleet or a week has passed.

examples:
  healconsole publish
  healconsole publish --once --lease 3m
  healconsole publish --leave
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

APPROVE: Final = """\
Where the configuration has [operators] four_eyes = ["reset"], a reset is not done but
asked for. Somebody with another login uid, as the kernel knows it, approves it within its
time, and then exactly what was asked for is done, if the state is still what it was.
Alone, in an emergency: --break-glass with the act, which the log tells loudly.

examples:
  healconsole approve
  healconsole approve 3f9a1c --reason 'seen, the queue drains'
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

RUN: Final = """\
Detect and decide run first, and the verdict of the guardrails is shown; if they
allow, the cycle acts and verifies. A healer that runs as a daemon is asked to run its
cycle now; else the command of its catalog entry is run once. Ctrl-C cancels.

examples:
  healconsole run worker-queue-healer --reason 'probe after the rollback'
"""

RELEASE: Final = """\
Takes back the hold that a trip of the whole healer put on it. Scopes that are forced
open stay so; reset them.

examples:
  healconsole release worker-queue-healer --reason 'deploy done'
"""

INIT: Final = """\
Writes a whole healer that works: its three phases, its test, and what puts it into
production: a hardened unit with a watchdog, sysusers, tmpfiles that age its markers,
logrotate, sudoers for the operators' verbs, the catalog entry, Prometheus rules with
their tests, a Grafana dashboard, and install.sh, which puts each where a host expects it.
It begins in dry-run. Nothing that is there is overwritten.

--state-root, --audit, --textfile-dir and --catalog, or the configuration, say where
things are on the host that will run it; --prefix/lib/heal is where the healer goes.

examples:
  healconsole init disk-reaper --lang bash
  healconsole init queue-healer --lang python --dir healers/queue --owner team-queues

exit codes: 0 written; 1 a file is there already, or read-only; 2 usage.
"""

CHECK: Final = """\
One line and an exit code, for Nagios, Icinga and whatever speaks their protocol. The
worst healer decides; up to three are named, worst first.

  0 OK        every healer that was asked for is well
  2 CRITICAL  a breaker is open, state is corrupt or unreadable, or a heartbeat is stale
  1 WARNING   forced open, held, half-open, or the last act failed; Redis does not answer;
              the audit log cannot be read; the fleet is halted
  3 UNKNOWN   no heartbeat was ever seen, there is no such healer, nothing can be read, or
              the command line cannot be understood

A critical healer outweighs a warning, and a warning outweighs an unknown. Performance
data: healers in each state; up to 20 healers also with heartbeat age, circuits that are
not closed, tokens and active markers each. How old a heartbeat may be is the threshold
of the console: three intervals, or `stale_s` where the interval is not known.

examples:
  healconsole check
  healconsole check worker-queue-healer --state-root /var/lib/heal
  define command { command_name check_heal
                   command_line /usr/bin/healconsole check $ARG1$ }
"""

GC: Final = """\
Removes, of each healer: markers that deny nothing any more, markers and full buckets
of the shadow state that dry-run decides on, and the emptied files of finished claims.
What is younger than --age stays, a day by default. Whatever the age is, a marker stays
for two buckets and the longest act of its policy, and while its act has no outcome; one
made with a bucket size that neither the last cycle nor the catalog tells stays 31 days.

Safe beside running healers: files go in small batches under each healer's lock, no link
is followed, and what is no file of ours is named and stays. Breakers, live buckets,
holds and what a reset kept aside are never touched. With --dry-run nothing is touched,
and no lock taken.

examples:
  healconsole gc --dry-run
  healconsole gc --age 7d
  17 4 * * *  root  healconsole gc        a line of /etc/cron.d/healconsole

exit codes: 0 done; 1 a healer could not be aged, or read-only; 2 usage.
"""

DOCTOR: Final = """\
Looks at healers, their programs, units and the host, and names what will hurt: what is
wrong, where, why it matters, and the mend. Nothing that is found is run, and nothing is
changed. The name in front of each finding is its ID for --skip.

  no-idempotency no-rate-limit no-breaker no-verification error-as-zero acts-in-detect
  no-state-directory two-instances float-in-bash legacy-library limits-assumed no-unit
  no-watchdog watchdog-too-short notify-access hidden-processes no-restart no-rules
  markers-not-aged tmpfiles-glob state-aged log-not-rotated log-copied permissions
  catalog unreadable clock-skew redis-unknown disk-full

Programs are found through the catalog (`command`) and ExecStart of units. How a program
is judged, and the limits of it:
  A program on this project's libraries has its guardrails from them; only verification,
  detection and limits that limit nothing are looked at. Of any other program the words
  tell: without any word of markers, rates, breakers or verification it has none. So a
  word in a message hides a missing guardrail, and a program that gets one from another
  file is accused wrongly (--skip).
  bash: comments are left out; `|| echo 0`, `|| printf 0` and `|| name=0` are errors that
  become zero; a decimal point within (( )) or beside -gt and its like is float maths; a
  detect() that calls kill, systemctl restart and the like acts. Floats in variables and
  zeros made by a pipe (`| wc -l`) are not seen.
  Python: the syntax tree is read; an except clause that returns or assigns 0 is an error
  that becomes zero (not in main); detect is searched for kills, removals and restarts.
  Programs in other languages, and compiled ones, are named as not examined.

Directories that are not given are those of the system. Each option may be repeated, and
replaces the system's. Prometheus is often on another machine: name a copy of its rules,
or --skip no-rules.

examples:
  healconsole doctor
  healconsole doctor worker-queue-healer --json
  healconsole doctor --rules /srv/prometheus/rules --skip limits-assumed

exit codes: 0 nothing found; 1 something found, as told; 2 usage.
"""

SERVE: Final = """\
Prints a link to open; the token in it is exchanged for a cookie, and leaves the address
bar. Each viewer gets a read-only console of its own, without a keyboard: keys, mouse and
pasted text are dropped here. Only requests with the exact Host and Origin are answered,
and nothing is loaded from elsewhere.

The token is new with each start, unless --token-file (mode 0600) or
HEALCONSOLE_SERVE_TOKEN gives one, of at least 20 letters, digits and ._~-. It is never
an option: everybody on the host reads those.

On loopback by default. From your desk: ssh -L 8765:localhost:8765 HOST. What is not
loopback is not encrypted: put a proxy with TLS in front, and name it with --url.

examples:
  healconsole serve
  healconsole serve --fleet
  healconsole serve --token-file /etc/heal/wall-token --url https://wall.example

exit codes: 0 ended by TERM or HUP; 1 the address cannot be had; 2 usage; 130 by Ctrl-C.
"""

HEAL_SH: Final = """\
examples:
  source "$(healconsole heal-sh)"
"""

COMPLETION: Final = """\
examples:
  healconsole completion bash > ~/.local/share/bash-completion/completions/healconsole
  healconsole completion zsh > ~/.zfunc/_healconsole
  healconsole completion fish > ~/.config/fish/completions/healconsole.fish

Needs the extra `completion`: pip install 'healconsole[completion]'
"""

GUARD: Final = """\
The command runs only if every guardrail allows; its output and its exit code are
passed through. Without --check, success is the command's exit code 0.

examples:
  healconsole guard --healer disk-reaper --intent 'remove_cores older=7d' -- reap /var/cores
  healconsole guard --healer q --intent 'restart_worker' --check 'q-drains' -- q-restart
"""

HEAL: Final = """\
The file names four commands (detect, decide, act, verify) and the policy; no code
need be written.

examples:
  healconsole heal worker-queue.toml --once
  healconsole heal worker-queue.toml --plan
"""

DEMO: Final = """\
Everything lives in one temporary directory and ends with the demo; no root, and no
network is used.

examples:
  healconsole demo
  healconsole demo fix       repair the cause, from a second terminal
  healconsole demo --bad     the same site without guardrails, compared at the end
  healconsole demo --script  the story without a terminal; 0 if each station was reached
  healconsole demo --pace 3  the story three times as fast
"""
