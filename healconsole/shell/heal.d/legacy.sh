# shellcheck shell=bash
# Act on INTENT behind the guardrails: ACTION_FN and CHECK_FN are called with the intent and the fact.
# 0 if it was verified, rehearsed or denied; 1 if it failed, which is recorded. A caller under errexit
# that does not look at the status lives on: a failed action must not end the loop that guards it.
heal_act_with_guardrails() {
  _heal_call _heal_act "$@" && return 0
  local - _heal_fatal=0 _heal_err
  [[ $- == *e* ]] || return 1
  set +e
  _heal_call _heal_trap_of ERR
  _heal_err=$_heal_text
  # The ERR trap is silent exactly where errexit is: in a condition.
  trap '_heal_fatal=1' ERR
  false
  trap - ERR
  [[ -z $_heal_err ]] || eval "$_heal_err"
  return $((1 - _heal_fatal))
}

# What "trap -p" says of the signals, in _heal_text.
_heal_trap_of() {
  local line
  _heal_text=''
  _heal_pipe || return 0
  trap -p "$@" >&"$_heal_pw"
  exec {_heal_pw}>&-
  while IFS= read -r -u "$_heal_pr" line; do _heal_text+=$line$'\n'; done
  exec {_heal_pr}<&-
}
heal_init() { _heal_call _heal_init; }
_heal_init() {
  _heal_policy && { _heal_layout || _heal_problem="$_heal_dir cannot be made"; }
  [[ -z $_heal_problem ]] && return 0
  heal_log "$_heal_problem"
  return 1
}
