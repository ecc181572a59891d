# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The whole loop of a healer as a program: options, singleton, heartbeat, wake and stop.

_heal_single_fd='' _heal_stop='' _heal_wake=0 _heal_forced_dry=0 _heal_interval=60

# heal_main DETECT_FN DECIDE_FN ACTION_FN CHECK_FN [FACT_FN...] [OPTION...]
# DETECT_FN and each FACT_FN print facts; DECIDE_FN FACT prints an intent or nothing; ACTION_FN and CHECK_FN
# get INTENT and FACT. Exit status: 0 done or denied, 1 failed or another instance runs, 2 usage.
heal_main() {
  local _heal_main_rc=0 _heal_outer
  if ! _heal_call _heal_names_free "$_heal_names $_heal_names_main"; then
    _heal_call heal_log "$_heal_problem"
    return 2
  fi
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
    declare -F -- "$found" &>/dev/null || {
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
    _heal_once_says
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

# Whoever runs one cycle by hand reads here what came of it; failures and rehearsals were told as they ended.
_heal_once_says() {
  case $_heal_outcome in
    denied) heal_log "${_heal_intent//[$'\n\t']/?}: denied by $_heal_v_guard: $_heal_v_reason" ;;
    success)
      printf -v _heal_text '%d.%d' $((_heal_took / 1000)) $((_heal_took % 1000 / 100))
      heal_log "$_heal_intent: success in $_heal_text s"
      ;;
  esac
}

# Be the only one of this healer's name, or say who is.
_heal_singleton() {
  local path=$_heal_dir/.singleton pid start tries=20 rc how=(-n) who='in a process that cannot be named'
  if [[ -L $path || (-e $path && ! -f $path) ]] || ! { exec {_heal_single_fd}<>"$path"; } 2>/dev/null; then
    heal_log "$path cannot be opened"
    return 1
  fi
  # Where no living process is named, a command that outlived its healer holds the lock, for as long as
  # it takes, or a healer that is about to write its name.
  until LC_ALL=C flock -x "${how[@]}" "$_heal_single_fd" 2>/dev/null; do
    rc=$?
    if ((rc > 1)); then
      exec {_heal_single_fd}>&-
      _heal_single_fd=''
      heal_log "$path cannot be locked: flock ended with exit code $rc"
      return 1
    fi
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
  _heal_settle_now
}
