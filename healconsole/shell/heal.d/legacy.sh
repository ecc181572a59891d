# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The functions of the library that was in the field before, with their meanings, on the shared state.

# Act on INTENT behind the guardrails: ACTION_FN and CHECK_FN are called with the intent and the fact.
# 0 if it was verified, rehearsed or denied; 1 if it failed, which is recorded. A caller under errexit
# that does not look at the status lives on: a failed action must not end the loop that guards it.
heal_act_with_guardrails() { _heal_call _heal_act "$@" || _heal_act_status; }

# 1, or 0 where a status of 1 would end the caller's shell.
_heal_act_status() {
  local - _heal_fatal=0 _heal_err
  [[ $- == *e* ]] || return 1
  set +e
  _heal_call _heal_trap_of ERR || return 1
  _heal_err=$_heal_text
  # The ERR trap is silent exactly where errexit is: in a condition.
  trap '_heal_fatal=1' ERR
  false
  trap - ERR
  [[ -z $_heal_err ]] || eval "$_heal_err"
  return $((1 - _heal_fatal))
}

# Take the environment and make the directories.
heal_init() { _heal_call _heal_init; }
_heal_init() {
  _heal_policy && { _heal_layout || _heal_problem="$_heal_dir cannot be made"; }
  [[ -z $_heal_problem ]] && return 0
  heal_log "$_heal_problem"
  return 1
}

# heal_audit INTENT OUTCOME [REASON]: the outcome is any word of the caller's, of 128 bytes at most.
heal_audit() { _heal_call _heal_audit_line "$@"; }
_heal_audit_line() {
  _heal_ready || return 1
  if [[ ${2-} == operator-* ]]; then
    heal_log "heal_audit: ${2} is an operator's to write"
    return 1
  fi
  if ((${#2} > 128)); then
    heal_log "heal_audit: the outcome is ${#2} bytes long, more than 128: INTENT OUTCOME REASON is the order"
    return 1
  fi
  _heal_take_mode
  _heal_event "${2-}" "${3-}" '' 0 1 "${1-}" "${HEAL_SCOPE:-${1%% *}}" ''
  _heal_append && return 0
  heal_log "$_heal_problem"
  return 1
}

_heal_ready() {
  if ! { _heal_policy && _heal_names_usable; }; then
    heal_log "$_heal_problem"
    return 1
  fi
  _heal_clock
  _heal_fact=${_heal_fact:-${HEAL_FACT-}}
  _heal_layout || heal_log "$_heal_dir cannot be made"
}

# heal_idem_key INTENT: prints the key of the intent in this window.
heal_idem_key() { _heal_call _heal_idem_key "$@"; }
_heal_idem_key() {
  _heal_ready && _heal_keys_of "${1-}" "$((_heal_now / _heal_bucket))" && printf '%s\n' "$_heal_key"
}

# heal_idem_seen KEY: 0 if there is a marker of that key.
heal_idem_seen() { _heal_call _heal_idem_seen "$@"; }
_heal_idem_seen() {
  _heal_ready || return 0
  _heal_is_key "${1-}" || return 0
  [[ -e $_heal_dir/keys/$1 || -L $_heal_dir/keys/$1 ]]
}

_heal_is_key() {
  [[ ${#1} -eq 64 && $1 != *[^0-9a-f]* ]] && return 0
  heal_log "not the key of a marker: $1"
  return 1
}

# heal_idem_mark KEY: leaves a marker without text, as only the key is known.
heal_idem_mark() { _heal_call _heal_idem_mark "$@"; }
_heal_idem_mark() {
  _heal_ready && _heal_is_key "${1-}" || return 1
  [[ -e $_heal_dir/keys/$1 ]] && return 0
  _heal_write "$_heal_dir/keys/$1" '' && sync -- "$_heal_dir/keys/$1" "$_heal_dir/keys" 2>/dev/null
}

# heal_rate_check NAME RATE BURST: takes a token; 0 if there was one.
heal_rate_check() { _heal_call _heal_rate_check "$@"; }
_heal_rate_check() {
  local rc=1
  _heal_named "$1" "HEAL_RATE=${2-}" "HEAL_BURST=${3-}" || return 1
  _heal_lock || {
    heal_log "$_heal_problem"
    return 1
  }
  _heal_clock
  _heal_g_rate=0
  _heal_read_bucket "rate/$_heal_file" || _heal_g_rate=$?
  if ((_heal_g_rate == 2)); then
    heal_log "rate/$_heal_file is corrupt: $_heal_why"
  else
    _heal_taken
    if ((_heal_num >= 0)); then
      if _heal_replace "rate/$_heal_file" "$_heal_text"; then rc=0; else heal_log "$_heal_problem"; fi
    fi
  fi
  _heal_unlock
  return "$rc"
}

# Take the scope $1 and limits from the assignments that follow, empty ones aside.
_heal_named() {
  local HEAL_RATE=${HEAL_RATE-} HEAL_BURST=${HEAL_BURST-} HEAL_CB_MAX=${HEAL_CB_MAX-}
  local HEAL_CB_COOLDOWN=${HEAL_CB_COOLDOWN-} _heal_limit
  for _heal_limit in "${@:2}"; do
    [[ -z ${_heal_limit#*=} ]] || printf -v "${_heal_limit%%=*}" '%s' "${_heal_limit#*=}"
  done
  _heal_ready || return 1
  if ! _heal_take_intent "${1-}" "${1-}"; then
    heal_log "${_heal_text/intent/scope}"
    return 1
  fi
}

# heal_cb_check NAME MAX COOLDOWN: 0 if the circuit lets it pass (half-open: takes the one probe).
heal_cb_check() { _heal_call _heal_cb_check "$@"; }
declare -gA _heal_cb_limits=()
_heal_cb_check() {
  local rc=0 passes=1
  _heal_named "$1" "HEAL_CB_MAX=${2-}" "HEAL_CB_COOLDOWN=${3-}" || return 1
  _heal_cb_limits["$_heal_file"]="$_heal_max $_heal_cool"
  _heal_read_breaker "$_heal_file" || rc=$?
  if ((rc == 2)); then
    heal_log "cb/$_heal_file is corrupt: $_heal_why"
    return 1
  fi
  _heal_breaker_now "$rc" 1
  [[ $_heal_n_state == closed ]] && return 0
  [[ $_heal_n_state == half-open && -z $_heal_n_until ]] || ((_heal_n_odd)) || return 1
  _heal_lock || {
    heal_log "$_heal_problem"
    return 1
  }
  _heal_clock
  rc=0
  _heal_read_breaker "$_heal_file" || rc=$?
  if ((rc == 0)); then
    _heal_breaker_now 0 1
    if ((_heal_n_odd)); then
      _heal_mended_breaker
      _heal_replace "cb/$_heal_file" "$_heal_text" || heal_log "$_heal_problem"
    elif [[ $_heal_n_state == half-open && -z $_heal_n_until ]]; then
      _heal_with_probe
      if _heal_replace "cb/$_heal_file" "$_heal_text"; then passes=0; else heal_log "$_heal_problem"; fi
    elif [[ $_heal_n_state == closed ]]; then
      passes=0
    fi
  fi
  _heal_unlock
  return "$passes"
}

# heal_cb_record NAME success|failure, with the limits of the last heal_cb_check of this name.
heal_cb_record() { _heal_call _heal_cb_record "$@"; }
_heal_cb_record() {
  local rc=0 limits wrong=0
  _heal_named "$1" || return 1
  limits=${_heal_cb_limits["$_heal_file"]-}
  [[ -z $limits ]] || _heal_max=${limits% *} _heal_cool=${limits#* } _heal_policy_of=''
  _heal_lock || {
    heal_log "$_heal_problem"
    return 1
  }
  _heal_clock
  _heal_read_breaker "$_heal_file" || rc=$?
  if ((rc == 2)); then
    _heal_problem="cb/$_heal_file is corrupt: $_heal_why" wrong=1
  elif [[ ${2-} == success ]]; then
    # When the action began is not known; an opening in this very second is later.
    if _heal_after_success "$rc" "$_heal_now"; then
      _heal_replace "cb/$_heal_file" "$_heal_text" || wrong=1
    fi
  else
    _heal_after_failure "$rc"
    _heal_replace "cb/$_heal_file" "$_heal_text" || wrong=1
  fi
  _heal_unlock
  ((wrong == 0)) || heal_log "$_heal_problem"
  return "$wrong"
}

# Older names of the same.
heal_idempotency_key() { heal_idem_key "$@"; }
heal_rate_limit_check() { heal_rate_check "$@"; }
heal_circuit_breaker_check() { heal_cb_check "$@"; }
heal_circuit_breaker_record() { heal_cb_record "$@"; }

# What "trap -p" says of the signals, in _heal_text; 1 if it cannot be had.
_heal_trap_of() {
  _heal_text=''
  _heal_spool || return 1
  local rc=0
  { trap -p "$@" >&"$_heal_pw"; } 2>/dev/null || rc=1
  exec {_heal_pw}>&-
  IFS= read -r -N 65536 -u "$_heal_pr" _heal_text
  exec {_heal_pr}<&-
  return "$rc"
}
