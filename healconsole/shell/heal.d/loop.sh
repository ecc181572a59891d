# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The whole loop of a healer as a program: options, singleton, heartbeat, wake and stop.

_heal_single_fd='' _heal_stop='' _heal_wake=0 _heal_seq=0 _heal_forced_dry=0 _heal_interval=60 _heal_captured=''

# heal_main DETECT_FN DECIDE_FN ACTION_FN CHECK_FN [FACT_FN...] [OPTION...]
# DETECT_FN and each FACT_FN print facts; DECIDE_FN FACT prints an intent or nothing; ACTION_FN and CHECK_FN
# get INTENT and FACT. Exit status: 0 done or denied, 1 failed or another instance runs, 2 usage.
heal_main() {
  local _heal_main_rc=0 _heal_outer
  _heal_call _heal_trap_of TERM HUP INT USR1 XFSZ PIPE || return 1
  _heal_outer=$_heal_text
  _heal_call _heal_main "$@" || _heal_main_rc=$?
  trap - TERM HUP INT USR1 XFSZ PIPE
  [[ -z $_heal_outer ]] || eval "$_heal_outer"
  return "$_heal_main_rc"
}

_heal_usage() {
  printf '%s\n' "usage: ${0##*/} [--once | --detect | --plan] [--dry-run] [--interval SECONDS]" \
    '  --once      run one cycle and leave' \
    '  --detect    print the fact and leave' \
    '  --plan      detect and decide, print the verdict as JSON, spend nothing' \
    '  --dry-run   write what would be done, and do nothing' \
    "  --interval  seconds between cycles, 0.01 to 86400 (${HEAL_INTERVAL:-60})" \
    'SIGUSR1 wakes the loop; SIGTERM ends it after the running action is recorded.'
}

_heal_main() {
  local functions=() once=0 detect=0 plan=0 interval=${HEAL_INTERVAL:-60} found
  _heal_forced_dry=0
  while (($#)); do
    case $1 in
      --once) once=1 ;;
      --detect) detect=1 ;;
      --plan) plan=1 ;;
      --dry-run) _heal_forced_dry=1 ;;
      --interval=*) interval=${1#*=} ;;
      --interval)
        interval=${2-}
        (($# < 2)) || shift
        ;;
      -h | --help)
        _heal_usage
        return 0
        ;;
      -*)
        heal_log "unknown option $1"
        _heal_usage >&2
        return 2
        ;;
      *) functions+=("$1") ;;
    esac
    shift
  done
  if ! { _heal_interval_ok "$interval" && _heal_policy; }; then
    heal_log "$_heal_problem"
    return 2
  fi
  _heal_interval=$interval
  if ((${#functions[@]} < 4)); then
    heal_log 'heal_main takes DETECT_FN DECIDE_FN ACTION_FN CHECK_FN'
    return 2
  fi
  for found in "${functions[@]}"; do
    declare -F -- "$found" >/dev/null || {
      heal_log "heal_main: $found is not a function"
      return 2
    }
  done
  _heal_nap_open || return 1
  if ((plan)); then
    _heal_plan "${functions[@]}"
    return 0
  fi
  if ((detect)); then
    _heal_measure "${functions[0]}" "${functions[@]:4}"
    printf '%s\n' "$_heal_fact"
    return 0
  fi
  _heal_daemon "$once" "${functions[@]}"
}

_heal_interval_ok() {
  _heal_problem='--interval takes seconds, from 0.01 to 86400'
  _heal_is_decimal "$1" && _heal_micro "$1" && ((_heal_num >= 10000 && _heal_num <= 86400000000))
}

_heal_daemon() {
  local once=$1 interval due left trigger=timer
  shift
  _heal_layout || {
    heal_log "$_heal_dir cannot be made"
    return 1
  }
  # Before the lock is taken: whoever finds it taken may send USR1, which ends a process by default.
  _heal_stop='' _heal_wake=0
  trap '_heal_wake=1; printf "\n" >&"$_heal_nap_fd"' USR1
  trap '_heal_stop=TERM; printf "\n" >&"$_heal_nap_fd"' TERM
  trap '_heal_stop=HUP; printf "\n" >&"$_heal_nap_fd"' HUP
  trap '_heal_stop=INT; printf "\n" >&"$_heal_nap_fd"' INT
  trap '' XFSZ PIPE
  _heal_singleton || return 1
  _heal_read_seq
  _heal_read_tally
  if ((once)); then
    _heal_cycle "${HEAL_TRIGGER:-once}" 0 "$@"
    _heal_denials_over
    _heal_single_release
    [[ $_heal_outcome != @(verify-failed|action-failed|timed-out|interrupted) ]]
    return
  fi
  _heal_watch_begin
  _heal_notify READY=1
  _heal_millis "$_heal_interval"
  interval=$_heal_num
  while [[ -z $_heal_stop ]]; do
    _heal_ticks
    due=$((_heal_num + interval))
    _heal_alive
    _heal_cycle "$trigger" "$_heal_interval" "$@"
    trigger=timer
    while [[ -z $_heal_stop ]]; do
      if ((_heal_wake)); then
        _heal_wake=0 trigger=operator
        break
      fi
      _heal_ticks
      left=$((due - _heal_num))
      ((left > 0)) || break
      _heal_alive
      _heal_until_alive
      printf -v left '%d.%03d' $((left / 1000)) $((left % 1000))
      _heal_nap "$left"
    done
  done
  _heal_notify STOPPING=1
  _heal_denials_over
  _heal_single_release
  heal_log "stopped by $_heal_stop"
}

# Be the only one of this healer's name, or say who is.
_heal_singleton() {
  local path=$_heal_dir/.singleton pid start tries=20 how=(-n) who='in a process that cannot be named'
  if [[ -L $path || (-e $path && ! -f $path) ]] || ! { exec {_heal_single_fd}<>"$path"; } 2>/dev/null; then
    heal_log "$path cannot be opened"
    return 1
  fi
  # Where no living process is named, a command that outlived its healer holds the lock, for as long as
  # it takes, or a healer that is about to write its name.
  until flock -x "${how[@]}" "$_heal_single_fd" 2>/dev/null; do
    _heal_line "$path" || _heal_raw=''
    pid=${_heal_raw%% *} start=${_heal_raw##* }
    if [[ -n $pid && ${#pid} -le 10 && $pid != *[^0-9]* ]] && _heal_start_time "$pid" && [[ $_heal_text == "$start" ]]; then
      who="as pid $pid"
    elif ((tries -= 1)); then
      how=(-w 0.5)
      continue
    fi
    exec {_heal_single_fd}>&-
    _heal_single_fd=''
    heal_log "$NAME already runs $who; it is asked to run a cycle with SIGUSR1"
    return 1
  done
  _heal_identity
  _heal_write "$path" "$BASHPID $_heal_start"$'\n'
}

_heal_single_release() {
  [[ -z $_heal_single_fd ]] || exec {_heal_single_fd}>&-
  _heal_single_fd=''
}

# Output of function $2 with the arguments that follow, in _heal_captured, within $1 seconds. Answers its
# exit status, or 124 if it was ended for its time.
_heal_capture() {
  local limit=$1 child rc=0 answers report status=''
  shift
  _heal_captured=''
  _heal_pipe || return 125
  answers=$_heal_pr report=$_heal_pw
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
    ((rc > 128)) || break
    # What was cut off by its time is no answer: half an intent is another intent.
    if ((gone)) && [[ -z $part ]]; then
      rc=1
      break
    fi
    kill -0 "$child" 2>/dev/null || gone=1
    _heal_alive
  done
  if ((rc == 0)); then
    # The end of its output is told, not waited for: something that it left behind may hold the pipe.
    IFS= read -r -t 1 -u "$answers" status
    exec {answers}<&-
    { wait "$child"; } 2>/dev/null || :
    [[ -n $status && $status != *[!0-9]* ]] || status=125
    return "$status"
  fi
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
  printf '\x1e%d\n' "$_heal_child_rc"
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

# One pass: recover, detect, decide, act, and the record of it. $1 the trigger, $2 the interval (0: none).
_heal_cycle() {
  local trigger=$1 interval=$2 detect=$3 decide=$4 action=$5 check=$6 began began_at intent
  shift 6
  _heal_trigger=$trigger _heal_outcome='' _heal_fact='' _heal_intent='' _heal_scope='' _heal_file=''
  _heal_ticks
  began=$_heal_num
  _heal_clock
  began_at=$_heal_now.$_heal_ms
  _heal_pay
  _heal_recover_first
  _heal_measure "$detect" "$@"
  _heal_consider "$decide"
  intent=$_heal_captured
  _heal_v_guard='' _heal_v_reason=''
  if [[ -n $intent && -z $_heal_stop ]]; then
    _heal_act "$intent" "$action" "$check" '' || :
  else
    intent=''
    ((${#_heal_runs[@]} == 0)) || _heal_denials_over
    _heal_fleet_check_in
  fi
  _heal_said=''
  _heal_count "$intent"
  _heal_status "$intent"
  _heal_ticks
  _heal_write_cycle "$intent" "$interval" $((_heal_num - began)) "$began_at"
  _heal_write_metrics
}

_heal_recover_first() {
  local slot dead=0
  _heal_list_slots
  for slot in "${_heal_slots[@]}"; do
    [[ -s $_heal_dir/claims/$slot ]] && _heal_read_claim "$slot" && ((! _heal_c_alive)) && dead=1
  done
  ((dead)) || return 0
  _heal_take_mode
  if _heal_lock; then
    _heal_clock
    _heal_settle_all || heal_log "$_heal_problem"
    _heal_unlock
  else
    heal_log "$_heal_problem"
  fi
}

# What the last record says: how many cycles there were, and by what the last one was denied.
_heal_read_seq() {
  local verb
  _heal_seq=0 _heal_said=''
  _heal_slurp "$_heal_dir/cycle.json" 65536 || return 0
  local number=${_heal_raw#*'"seq":'}
  number=${number%%,*}
  _heal_is_digits "$number" 15 && _heal_seq=$number
  verb=${_heal_raw#*'","intent":"'}
  verb=${verb%%[ \"]*}
  number=${_heal_raw#*'","verdict":{"allow":false,"guard":"'}
  [[ $number == "$_heal_raw" ]] || _heal_said="${number%%\"*} $verb"
}

# The shortest spelling of the decimal $1, in _heal_text.
_heal_short() {
  _heal_micro "$1"
  _heal_decimal "$_heal_num"
  while [[ $_heal_text == *.*0 ]]; do _heal_text=${_heal_text%0}; done
  _heal_text=${_heal_text%.}
}

# The verdict as JSON in _heal_text.
_heal_verdict_json() {
  local allow=false
  ((_heal_v_allow)) && allow=true
  _heal_encodable "$_heal_v_reason"
  _heal_json "$_heal_text"
  _heal_text="{\"allow\":$allow,\"guard\":\"$_heal_v_guard\",\"reason\":\"$_heal_text\",\"earliest\":${_heal_v_earliest:-null}}"
}

_heal_policy_json() {
  local settle action check
  _heal_short "$_heal_settle"
  settle=$_heal_text
  _heal_short "$_heal_action_timeout"
  action=$_heal_text
  _heal_short "$_heal_check_timeout"
  check=$_heal_text
  _heal_decimal "$_heal_rate"
  _heal_text="{\"rate\":\"$_heal_text\",\"burst\":$_heal_burst,\"max_failures\":$_heal_max,\"cooldown\":$_heal_cool"
  _heal_text+=",\"bucket\":$_heal_bucket,\"settle\":$settle,\"action_timeout\":$action,\"check_timeout\":$check}"
}

_heal_write_cycle() {
  local intent=$1 interval=$2 duration=$3 began=$4 verdict=null line at now due=0 mode=live done=$_heal_outcome
  [[ $done != denied ]] || done=''
  _heal_clock
  now=$((_heal_now * 1000 + _heal_ms))
  printf -v at '%d.%03d' "$_heal_now" "$_heal_ms"
  _heal_short_time "$now"
  at=$_heal_text
  if [[ $interval != 0 ]]; then
    _heal_millis_of "$interval" due
    due=$((${began%.*} * 1000 + ${began#*.} + due))
    ((due >= now)) || due=$now
    _heal_short_time "$due"
    due=$_heal_text
    _heal_short "$interval"
    interval=$_heal_text
  fi
  if [[ -n $intent ]]; then
    _heal_verdict_json
    verdict=$_heal_text
  else
    _heal_take_mode
  fi
  ((_heal_dry)) && mode=dry-run
  ((_heal_seq += 1)) || :
  _heal_encodable "$_heal_fact"
  _heal_json "$_heal_text"
  line="{\"v\":1,\"at\":$at,\"seq\":$_heal_seq,\"trigger\":\"$_heal_trigger\",\"fact\":\"$_heal_text\""
  _heal_encodable "${intent:0:4096}"
  _heal_json "$_heal_text"
  line+=",\"intent\":\"$_heal_text\",\"verdict\":$verdict,\"outcome\":\"$done\",\"duration_ms\":$duration"
  line+=",\"next_due\":$due,\"interval\":$interval,\"pid\":$BASHPID,\"library\":\"heal.sh\",\"version\":\"$_HEAL_VERSION\""
  _heal_policy_json
  line+=",\"policy\":$_heal_text,\"mode\":\"$mode\"}"
  local draft=$_heal_dir/.scratch/cycle.sh
  if ! _heal_scratch_ok || ! _heal_write "$draft" "$line"$'\n' || ! sync -- "$draft" 2>/dev/null ||
    ! mv -f -- "$draft" "$_heal_dir/cycle.json" 2>/dev/null; then
    heal_log "the heartbeat cannot be written: $_heal_dir/cycle.json"
  fi
}

# Seconds of $1 milliseconds in their shortest spelling, in _heal_text.
_heal_short_time() {
  printf -v _heal_text '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  while [[ $_heal_text == *.*0 ]]; do _heal_text=${_heal_text%0}; done
  _heal_text=${_heal_text%.}
}

# Detect, decide and the verdict as one line of JSON; nothing is spent and nothing written.
_heal_plan() {
  local verdict=null intent fact line mode=live
  _heal_measure "$1" "${@:5}"
  _heal_consider "$2"
  intent=$_heal_captured
  _heal_clock
  if [[ -z $intent ]]; then
    _heal_take_mode
  elif _heal_take_intent "$intent" "${HEAL_SCOPE-}"; then
    _heal_trigger=${HEAL_TRIGGER-}
    _heal_fleet_look look
    _heal_gather 1
    _heal_judge || :
    _heal_verdict_json
    verdict=$_heal_text
  else
    _heal_v_allow=0 _heal_v_guard=intent _heal_v_reason=$_heal_text _heal_v_earliest=''
    _heal_take_mode
    _heal_verdict_json
    verdict=$_heal_text
  fi
  ((_heal_dry)) && mode=dry-run
  _heal_encodable "$_heal_fact"
  _heal_json "$_heal_text"
  fact=$_heal_text
  _heal_encodable "$intent"
  _heal_json "$_heal_text"
  printf '{"fact":"%s","intent":"%s","verdict":%s,"mode":"%s"}\n' "$fact" "$_heal_text" "$verdict" "$mode"
}
