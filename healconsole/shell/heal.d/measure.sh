# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# What detect and decide say, each a function of the caller's in a process of its own, in its time.

_heal_captured=''

# Output of function $2 with the arguments that follow, in _heal_captured, within $1 seconds. Answers its
# exit status, or 124 if it was ended for its time.
_heal_capture() {
  local limit=$1 child rc=0 answers report status=''
  shift
  _heal_captured=''
  _heal_pipe || return 125
  answers=$_heal_pr report=$_heal_pw
  # Drawn anew each time: nothing that is measured can hold it. What is measured may ask Redis, which is
  # such a measuring within its process, and ends with its own.
  local _heal_end_mark=$'\x1f'$RANDOM.$RANDOM.$RANDOM.
  set -m
  _heal_capture_child "$@" >&"$report" </dev/null &
  child=$!
  set +m
  exec {report}>&-
  local deadline gone=0 late=0
  _heal_ticks
  _heal_millis_of "$limit" deadline
  ((deadline += _heal_num)) || :
  while :; do
    local part='' left
    _heal_ticks
    left=$((deadline - _heal_num))
    rc=0
    if ((left <= 0)); then
      if ((late)) || kill -0 "$child" 2>/dev/null; then
        rc=142
        break
      fi
      left=$_HEAL_LOOK gone=1 late=1
    fi
    _heal_until_alive
    ((left <= _HEAL_LOOK)) || left=$_HEAL_LOOK
    printf -v left '%d.%03d' $((left / 1000)) $((left % 1000))
    IFS= read -r -d $'\x1e' -t "$left" -u "$answers" part || rc=$?
    _heal_captured+=$part
    # The end of its output is told, not waited for: something that it left behind may hold the pipe. It has a
    # fixed width, as a read whose time is up may have taken the byte that ends it, and would not say so.
    if [[ $_heal_captured == *"$_heal_end_mark"[0-9][0-9][0-9] ]]; then
      status=$((10#${_heal_captured: -3}))
      _heal_captured=${_heal_captured%"$_heal_end_mark"???}
      exec {answers}<&-
      { wait "$child"; } 2>/dev/null || :
      return "$status"
    fi
    if ((rc == 0)); then
      # It wrote that byte itself.
      exec {answers}<&-
      _heal_end_group "$child"
      return 125
    fi
    ((rc > 128)) || break
    if ((gone)) && [[ -z $part ]] && ! read -r -t 0 -u "$answers" _; then
      rc=1
      break
    fi
    kill -0 "$child" 2>/dev/null || gone=1
    _heal_alive
  done
  exec {answers}<&-
  if ((rc > 128)); then
    _heal_end_group "$child"
    return 124
  fi
  rc=0
  { wait "$child"; } 2>/dev/null || rc=$?
  return "$rc"
}

_heal_capture_child() {
  exec {answers}<&- {report}>&-
  _heal_let_go
  trap - TERM HUP INT USR1 XFSZ PIPE
  _heal_withdraw
  [[ $1 == _heal_* ]] || _heal_as_caller
  local _heal_child_rc=0
  "$@" || _heal_child_rc=$?
  printf '%s%03d\x1e' "$_heal_end_mark" "$_heal_child_rc"
}

# The fact of detect $1 and of the functions that follow, in _heal_fact; what fails is a fact too.
_heal_measure() {
  local each rc out facts=''
  for each; do
    rc=0
    _heal_capture "$_heal_check_timeout" "$each" || rc=$?
    out=$_heal_captured
    while [[ $out == *$'\n' ]]; do out=${out%$'\n'}; done
    out=${out//$'\n'/,}
    if ((rc == 124)); then
      out+="${out:+,}detect=ERROR,error=$each timed out after $_heal_check_timeout s"
    elif ((rc)); then
      out+="${out:+,}detect=ERROR,error=$each exit code $rc"
    fi
    facts+=${facts:+${out:+,}}$out
  done
  _heal_fact=${facts:0:16384}
}

# What decide $1 says of the fact, in _heal_captured.
_heal_consider() {
  local rc=0
  _heal_capture "$_heal_check_timeout" "$1" "$_heal_fact" || rc=$?
  while [[ $_heal_captured == *$'\n' ]]; do _heal_captured=${_heal_captured%$'\n'}; done
  # 1 is how a test says no, as in "[[ ... ]] && echo INTENT".
  if ((rc > 1)); then
    heal_log "decide failed: $1 exit code $rc"
    _heal_fact+="${_heal_fact:+,}decide=ERROR,decide_error=exit code $rc"
    _heal_captured=''
  fi
}
