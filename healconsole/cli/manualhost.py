"""What ``--help`` of what serves a host and its healers says below the options."""

from __future__ import annotations

from typing import Final

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
  no-state-directory two-instances float-in-bash legacy-library legacy-leftover
  limits-assumed no-unit no-watchdog watchdog-too-short notify-access hidden-processes
  no-restart no-rules markers-not-aged tmpfiles-glob state-aged log-not-rotated
  log-copied permissions catalog act-unfinished unreadable clock-skew redis-unknown disk-full

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
passed through; where it is denied, that is said on stderr and the exit code is 1.
Without --check, success is the command's exit code 0.

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
  healconsole demo fix       repair the cause and start healers that died, from a second terminal
  eval "$(healconsole demo env)"  point the other commands of this shell at the demo
  healconsole demo --bad     the same site without guardrails, compared at the end
  healconsole demo --script  the story without a terminal; 0 if each station was reached
  healconsole demo --pace 3  the story three times as fast
"""
