# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# An act behind the guardrails: the only place that runs a healer's action.

_heal_outcome='' _heal_why_not='' _heal_stopped='' _heal_inside=0 _heal_took=0

# The action and its check, in one process group of their own, each within its time.
_heal_run() {
  local action=$1 check=$2 intent=$3 phase='' deadline child rc line
  _heal_outcome=action-failed _heal_why_not=''
  _heal_pipe || {
    _heal_why_not='no pipe'
    return 1
  }
  local report=$_heal_pw answers=$_heal_pr
  _heal_nap_open
  set -m
  _heal_child "$action" "$check" "$intent" </dev/null &
  child=$!
  set +m
  exec {report}>&-
  _heal_ticks
  deadline=$((_heal_num + _heal_action_ms))
  line=''
  while _heal_hear "$answers" "$deadline"; do
    line=$_heal_text
    [[ $line == acted ]] || continue
    phase=acted
    _heal_ticks
    deadline=$((_heal_num + _heal_after_ms))
  done
  exec {answers}<&-
  if [[ -n $_heal_lost ]]; then
    _heal_end_group "$child"
    _heal_why_not=$_heal_lost
  elif [[ $_heal_heard == late ]]; then
    _heal_end_group "$child"
    if [[ -z $phase ]]; then
      _heal_outcome=timed-out _heal_why_not="action timed out after $_heal_action_timeout s"
    else
      _heal_outcome=verify-failed _heal_why_not="check timed out after $_heal_check_timeout s"
    fi
  else
    rc=0
    { wait "$child"; } 2>/dev/null || rc=$?
    # A signal with a trap ends a wait early.
    while ((rc > 128)) && kill -0 "$child" 2>/dev/null; do
      rc=0
      { wait "$child"; } 2>/dev/null || rc=$?
    done
    if [[ -z $phase ]]; then
      _heal_why_not="action exit code $rc"
      ((rc)) || _heal_why_not='the action ended the shell that runs it'
    elif ((rc)); then
      _heal_outcome=verify-failed _heal_why_not="check exit code $rc"
    else
      _heal_outcome=success
      return 0
    fi
  fi
  return 1
}

# Milliseconds of the seconds $1 into the variable $2.
_heal_millis_of() {
  local keep=$_heal_num
  _heal_millis "$1"
  printf -v "$2" '%d' "$_heal_num"
  _heal_num=$keep
}

# Milliseconds between two looks whether a child has ended. Mostly its end is heard, as the end of its pipe;
# but what it left behind may hold that: a loop in the background has every descriptor of its shell.
_HEAL_LOOK=200

# Wait until tick $2 for a line of the caller's child on descriptor $1: 0 with the line, or 1 with _heal_heard
# "late" or "end".
_heal_heard='' _heal_lost=''
_heal_hear() {
  local left rc seconds gone=0 part=''
  _heal_heard=''
  while :; do
    _heal_ticks
    left=$(($2 - _heal_num))
    if ((left <= 0)); then
      if kill -0 "$child" 2>/dev/null; then
        _heal_heard=late
        return 1
      fi
      left=$_HEAL_LOOK gone=1
    fi
    if ((_heal_lease_every && left > _heal_lease_every)); then left=$_heal_lease_every; fi
    _heal_until_alive
    ((left <= _HEAL_LOOK)) || left=$_HEAL_LOOK
    printf -v seconds '%d.%03d' $((left / 1000)) $((left % 1000))
    rc=0
    IFS= read -r -t "$seconds" -u "$1" _heal_text || rc=$?
    # A read whose time is up keeps what it has read. That may be all of a line: then the end is what follows.
    part+=$_heal_text
    if ((rc == 0)) || [[ $rc == 1 && -n $part ]]; then
      _heal_text=$part
      return 0
    fi
    ((rc > 128 && gone)) && read -r -t 0 -u "$1" _ && continue
    if ((rc <= 128 || gone)); then
      _heal_heard=end
      return 1
    fi
    # What it said before it ended is heard once more.
    kill -0 "$child" 2>/dev/null || gone=1
    _heal_alive
    if ((_heal_lease_every)) && ! _heal_lease_renew; then return 1; fi
  done
}

# End the process group $1: TERM, and KILL two seconds later.
_heal_end_group() {
  kill -TERM -- "-$1" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 -- "-$1" 2>/dev/null || break
    _heal_nap 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null
  { wait "$1"; } 2>/dev/null || :
}

# A pipe that nobody writes to but a signal's trap: reading it is a sleep without a fork.
_heal_nap_fd=''
_heal_nap_open() {
  [[ -n $_heal_nap_fd ]] && return 0
  _heal_pipe || return 1
  exec {_heal_nap_fd}<>"/proc/self/fd/$_heal_pr"
  exec {_heal_pr}<&- {_heal_pw}>&-
}
_heal_nap() {
  local line
  IFS= read -r -t "$1" -u "$_heal_nap_fd" line || :
}

# The child: action, settle, check. Runs from a DEBUG trap, because errexit is ignored in whatever is
# called from a condition, however deep, and a trap is called from nowhere.
_heal_child() {
  exec {answers}<&-
  _heal_let_go
  trap - TERM HUP INT USR1 XFSZ PIPE
  _heal_withdraw
  export HEAL_FENCE=${_heal_fence:-$_heal_slot_fence} HEAL_SLOT_FENCE=$_heal_slot_fence
  [[ -n $HEAL_FENCE ]] || unset HEAL_FENCE
  [[ -n $HEAL_SLOT_FENCE ]] || unset HEAL_SLOT_FENCE
  trap '_heal_child_body "$@"' DEBUG
  :
}
_heal_child_body() {
  trap - DEBUG
  _heal_inside=1 _heal_report=$report
  _heal_as_caller
  set -e
  "$1" "$3" "$_heal_fact" {_heal_report}>&-
  printf 'acted\n' >&"$_heal_report"
  _heal_child_settle
  "$2" "$3" "$_heal_fact" {_heal_report}>&-
  exit 0
}
_heal_child_settle() {
  [[ $_heal_settle == *[1-9]* ]] || return 0
  # The caller's locale may want a comma in a fraction.
  local LC_ALL=C
  # On a pipe of its own: what wakes the healer must not cut the settling short.
  if _heal_nap_open; then
    IFS= read -r -t "$_heal_settle" -u "$_heal_nap_fd" || :
  else
    LC_ALL=C sleep "$_heal_settle"
  fi
}

# In a child, before it runs code of the caller's: what is the healer's alone. Numbers that were closed may
# soon be the caller's files, and debts and counts are not paid twice.
_heal_let_go() {
  local fd
  for fd in "$_heal_single_fd" "$_heal_tail_fd" "$_heal_nap_fd"; do
    [[ -z $fd ]] || exec {fd}>&-
  done
  _heal_single_fd='' _heal_tail_fd='' _heal_nap_fd='' _heal_held=0
  _heal_owed=() _heal_runs=() _heal_run_said=() _heal_run_fact=() _heal_run_scope='' _heal_run_guard=''
}

# TERM, HUP and INT wait until the outcome is recorded; a file-size limit is an error, not a death, and so
# is a reader of our messages that has gone.
_heal_traps='' _heal_held=0
_heal_hold_signals() {
  _heal_stopped='' _heal_held=0
  _heal_trap_of TERM HUP INT XFSZ PIPE || return 0
  _heal_held=1 _heal_traps=$_heal_text
  trap '_heal_stopped=TERM' TERM
  trap '_heal_stopped=HUP' HUP
  trap '_heal_stopped=INT' INT
  trap '' XFSZ PIPE
}
_heal_free_signals() {
  ((_heal_held)) || return 0
  trap - TERM HUP INT XFSZ PIPE
  [[ -z $_heal_traps ]] || eval "$_heal_traps"
  _heal_traps='' _heal_held=0
  [[ -z $_heal_stopped ]] || kill -s "$_heal_stopped" "$BASHPID"
}

# One guarded act: INTENT ACTION CHECK REASON. 0: done, rehearsed or denied; 1: the action failed, or could
# not be recorded.
_heal_act() {
  # An attribute that a function never has is taken from it: "declare -F" would have to be kept from printing.
  # Of a name with "=" either complains in words of its own.
  if ! _heal_policy || ((_heal_inside)) || [[ ${2-}${3-} == *=* ]] || ! declare -f +u -- "${2-}" "${3-}"; then
    _heal_act_misused "${2-}" "${3-}"
    return 1
  fi
  [[ -n $_heal_single_fd ]] || _heal_fact=${HEAL_FACT-} _heal_trigger=${HEAL_TRIGGER:-guard}
  [[ -n $_heal_nap_fd ]] || _heal_nap_open
  ((${#_heal_owed[@]} == 0)) || _heal_pay
  # What was asked for before is mostly asked for again.
  if [[ -n $1 && $1 == "$_heal_taken_as" && ${HEAL_SCOPE-} == "$_heal_taken_with" ]]; then
    _heal_intent=$1 _heal_scope=$_heal_taken_scope _heal_file=$_heal_taken_file
  elif ! _heal_take_intent "${1-}" "${HEAL_SCOPE-}"; then
    _heal_v_allow=0 _heal_v_guard=intent _heal_v_reason=$_heal_text _heal_v_earliest='' _heal_scope='' _heal_dry=0
    _heal_clock
    _heal_outcome=denied
    _heal_denied
    return 0
  fi
  if [[ -n ${HEAL_REDIS_URL-}$_heal_f_asked ]]; then
    _heal_clock
    _heal_fleet_look act
  fi
  if _heal_peek; then
    _heal_act_held "${@:2}"
  else
    _heal_outcome=denied
    _heal_denied
  fi
}

_heal_act_misused() {
  local found
  _heal_outcome='' _heal_v_allow=0 _heal_v_guard=record _heal_v_reason=$_heal_problem _heal_v_earliest=''
  if [[ -z $_heal_problem ]] && ((_heal_inside)); then
    # Its trap would not fire within the one of the outer act, so it could not run what it is asked to.
    _heal_v_reason='heal_act_with_guardrails within an action: give it a process of its own'
  elif [[ -z $_heal_problem ]]; then
    found=$1
    declare -F -- "$1" &>/dev/null && found=$2
    _heal_v_reason="heal_act_with_guardrails: '$found' is not a function"
  fi
  heal_log "$_heal_v_reason"
}

_heal_act_held() {
  _heal_outcome='' _heal_lost='' _heal_fence=''
  if ! _heal_names_usable; then
    _heal_unrecorded "$_heal_problem" || heal_log "$_heal_v_reason"
    return 1
  fi
  local rc=0
  _heal_hold_signals
  _heal_act_allowed "$1" "$2" "${3-}" || rc=1
  _heal_free_signals
  return "$rc"
}

_heal_act_allowed() {
  local action=$1 check=$2 reason=$3 began rc=0
  if ((! _heal_dry)) && ! _heal_lease_take; then
    _heal_outcome=denied
    _heal_denied
    return 0
  fi
  if ! _heal_commit "$reason"; then
    _heal_lease_drop
    _heal_outcome=denied
    _heal_denied
    [[ $_heal_v_guard != record ]]
    return
  fi
  if ((_heal_dry)); then
    _heal_outcome=dry-run
    _heal_event dry-run "${reason:+$reason; }$_heal_v_reason"
    _heal_append || {
      heal_log "$_heal_problem"
      return 1
    }
    heal_log "dry-run: would $_heal_intent ($_heal_dry_why)"
    return 0
  fi
  _heal_ticks
  began=$_heal_num
  _heal_run "$action" "$check" "$_heal_intent" || rc=1
  _heal_lease_drop
  _heal_ticks
  _heal_took=$((_heal_num - began))
  if ((rc)); then
    reason=${reason:+$reason; }$_heal_why_not
    heal_log "$_heal_outcome: $_heal_intent: $_heal_why_not"
  fi
  _heal_record "$_heal_outcome" "$reason" "$_heal_took" || rc=1
  return "$rc"
}
