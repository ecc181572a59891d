# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# Names, places and limits as the environment has them, and the shell that the library works in.

_heal_dir='' _heal_audit='' _heal_host='' _heal_problem=''
_heal_rate=16700 _heal_burst=3 _heal_max=3 _heal_cool=600 _heal_bucket=300 _heal_lease=125
_heal_settle=5 _heal_action_timeout=60 _heal_check_timeout=30
# The same in milliseconds: of the action, and of settling and the check together.
_heal_action_ms=60000 _heal_after_ms=35000
_heal_fleet_rate='' _heal_fleet_burst=1 _heal_slots_max=1 _heal_storm_limit='' _heal_storm_window=300
_heal_lock_ttl=60 _heal_local_only=0 _heal_outside=''

# Run a function of ours in a shell of ours: no errexit, nounset or noclobber, no globbing (so that an
# unquoted value splits into words and nothing else), plain IFS, bytes for characters. The caller has all of
# it back when this returns, and so does the caller's code that the library runs (_heal_as_caller).
_heal_shopts=''
_heal_call() {
  local - _heal_flags=$- IFS=$' \t\n' LC_ALL=C
  set +euC -f
  # shellcheck disable=SC2053 # no pattern, but words and colons
  if [[ $BASHOPTS == $_heal_plain_shopts && -z $GLOBIGNORE ]]; then "$@"; else _heal_call_plainly "$@"; fi
}

# The same where options of the caller's shell would change what the library does: they are put away meanwhile.
_heal_plain_shopts=''
_heal_call_plainly() {
  local _heal_shopts='' _heal_option _heal_rc=0
  # The last two (bash 5) give locals the values of others, and take away what unset should bring to light.
  for _heal_option in nocasematch failglob dotglob nullglob localvar_inherit localvar_unset; do
    if shopt -q "$_heal_option" 2>/dev/null; then
      _heal_shopts+=" $_heal_option"
      shopt -u "$_heal_option"
    fi
  done
  # (Of GLOBIGNORE, which sets and unsets dotglob, BASHOPTS hears nothing.)
  [[ -n $_heal_shopts || $BASHOPTS == *dotglob* ]] || _heal_plain_shopts=$BASHOPTS
  if [[ -z $GLOBIGNORE ]]; then
    "$@" || _heal_rc=$?
  else
    _heal_call_unignored "$@" || _heal_rc=$?
    # That it has a value again has set this.
    shopt -u dotglob
  fi
  # shellcheck disable=SC2086 # words they are
  [[ -z $_heal_shopts ]] || shopt -s $_heal_shopts
  return "$_heal_rc"
}
# Slots that the caller's globs would pass over are slots all the same. (Empty and not unset, which would be
# taken for a wish about dotglob.)
_heal_call_unignored() {
  local GLOBIGNORE=''
  "$@"
}

# The locals of each function that the caller's code is run below, as far as they are there by then: bash
# would show them to that code in place of the caller's own variables of these names.
declare -gA _heal_locals=(
  [_heal_main]='functions once detect plan interval found'
  [_heal_daemon]='once interval due left trigger'
  [_heal_cycle]='trigger interval detect decide action check began began_at intent'
  [_heal_plan]='verdict intent fact line mode'
  [_heal_measure]='each rc out facts'
  [_heal_consider]=rc
  [_heal_capture]='limit child rc answers report status'
  [_heal_act_held]=rc
  [_heal_act_allowed]='action check reason began rc'
  [_heal_run]='action check intent phase deadline child rc line report answers'
)
_heal_unshadow() {
  local _heal_frame
  for _heal_frame in "${FUNCNAME[@]}"; do
    # Once for each function that has one: the variable below it comes to light.
    # shellcheck disable=SC2086 # words they are
    [[ -z ${_heal_locals["$_heal_frame"]-} ]] || unset -v ${_heal_locals["$_heal_frame"]}
  done
}

# In a child, before it runs code of the caller's: the caller's shell and variables again.
_heal_as_caller() {
  _heal_unshadow
  if [[ " ${FUNCNAME[*]} " == *' _heal_call_unignored '* ]]; then
    unset -v GLOBIGNORE
    shopt -u dotglob
  fi
  # shellcheck disable=SC2086 # words they are
  [[ -z $_heal_shopts ]] || shopt -s $_heal_shopts
  [[ $_heal_flags == *f* ]] || set +f
  [[ $_heal_flags != *C* ]] || set -C
  [[ $_heal_flags != *u* ]] || set -u
  # Those of _heal_call: the caller's come to light, if there are any.
  unset -v LC_ALL IFS
}

# Take name, places and limits from the environment; 1 with _heal_problem if one cannot be used.
_heal_policy_of='' _heal_asked=''
_heal_policy() {
  # Without quotes, which cost more than all the rest; what is not set is empty here.
  # shellcheck disable=SC2153 # the healer's name
  _heal_asked=$NAME:$HEAL_STATE_DIR:$HEAL_STATE_ROOT:$HEAL_AUDIT_FILE:$HEAL_HOST:$HEAL_RATE:$HEAL_BURST:$HEAL_CB_MAX
  _heal_asked+=:$HEAL_CB_COOLDOWN:$HEAL_BUCKET:$HEAL_SETTLE:$HEAL_ACTION_TIMEOUT:$HEAL_CHECK_TIMEOUT
  _heal_asked+=:$HEAL_FLEET_RATE:$HEAL_FLEET_BURST:$HEAL_FLEET_SLOTS_MAX:$HEAL_FLEET_STORM:$HEAL_FLEET_STORM_WINDOW
  _heal_asked+=:$HEAL_FLEET_LOCK_TTL:$HEAL_REDIS_UNREACHABLE:$HEAL_STAGE:$HEAL_CANARIES
  _heal_asked+=:$HEAL_REDIS_URL:$HEAL_FLEET_LOCK:$HEAL_FLEET_SLOTS
  _heal_problem=''
  [[ $_heal_asked == "$_heal_policy_of" ]] || _heal_new_policy
}
_heal_new_policy() {
  _heal_policy_of=''
  _heal_names_usable || return 1
  _heal_take_policy && _heal_take_fleet_policy && _heal_take_stage || return 1
  _heal_policy_of=$_heal_asked
}

_heal_take_policy() {
  local name=${NAME-} rate=${HEAL_RATE:-0.0167} value
  _heal_problem="NAME must name the healer: letters, digits, '.', '_' and '-', at most 64"
  [[ ${#name} -le 64 && $name == [A-Za-z0-9]* && $name != *[!A-Za-z0-9._-]* ]] || return 1
  _heal_dir=${HEAL_STATE_DIR:-${HEAL_STATE_ROOT:-/var/lib/heal}/$name}
  _heal_audit=${HEAL_AUDIT_FILE:-/var/log/heal/audit.jsonl}
  [[ $_heal_dir == /* ]] || _heal_dir=./$_heal_dir
  [[ $_heal_audit == /* ]] || _heal_audit=./$_heal_audit
  _heal_host=${HEAL_HOST:-${HOSTNAME:-localhost}}

  _heal_problem="HEAL_RATE must be tokens per second, such as 0.0167"
  _heal_is_decimal "$rate" || return 1
  _heal_micro "$rate"
  _heal_rate=$_heal_num
  _heal_burst=${HEAL_BURST:-3} _heal_max=${HEAL_CB_MAX:-3}
  _heal_problem='HEAL_BURST and HEAL_CB_MAX must be whole numbers from 1 to 999999'
  _heal_is_positive "$_heal_burst" && _heal_is_positive "$_heal_max" || return 1
  _heal_cool=${HEAL_CB_COOLDOWN:-600} _heal_bucket=${HEAL_BUCKET:-300}
  _heal_problem='HEAL_CB_COOLDOWN and HEAL_BUCKET must be whole seconds, the bucket at least 1'
  _heal_is_seconds "$_heal_cool" && _heal_is_seconds "$_heal_bucket" && ((_heal_bucket >= 1)) || return 1

  _heal_settle=${HEAL_SETTLE:-5}
  _heal_action_timeout=${HEAL_ACTION_TIMEOUT:-60} _heal_check_timeout=${HEAL_CHECK_TIMEOUT:-30}
  _heal_problem='HEAL_SETTLE, HEAL_ACTION_TIMEOUT and HEAL_CHECK_TIMEOUT must be seconds up to 86400'
  local sum=0
  for value in "$_heal_settle" "$_heal_action_timeout" "$_heal_check_timeout"; do
    _heal_is_decimal "$value" || return 1
    _heal_micro "$value"
    ((_heal_num <= 86400000000)) || return 1
    ((sum += _heal_num)) || :
  done
  _heal_micro "$_heal_action_timeout"
  ((_heal_num >= 1000)) || return 1
  _heal_action_ms=$((_heal_num / 1000))
  _heal_micro "$_heal_check_timeout"
  ((_heal_num >= 1000)) || return 1
  _heal_after_ms=$((_heal_num / 1000))
  _heal_micro "$_heal_settle"
  ((_heal_after_ms += _heal_num / 1000)) || :
  _heal_lease=$((sum / 1000000 + 30))
  _heal_problem=''
}

_heal_take_fleet_policy() {
  local window=${HEAL_FLEET_STORM_WINDOW:-300} ttl=${HEAL_FLEET_LOCK_TTL:-60}
  _heal_fleet_rate=''
  if [[ -n ${HEAL_FLEET_RATE-} ]]; then
    _heal_problem='HEAL_FLEET_RATE must be tokens per second, such as 0.0167'
    _heal_is_decimal "$HEAL_FLEET_RATE" || return 1
    _heal_micro "$HEAL_FLEET_RATE"
    _heal_fleet_rate=$_heal_num
  fi
  _heal_fleet_burst=${HEAL_FLEET_BURST:-1} _heal_slots_max=${HEAL_FLEET_SLOTS_MAX:-1}
  _heal_problem='HEAL_FLEET_BURST and HEAL_FLEET_SLOTS_MAX must be whole numbers from 1 to 999999'
  _heal_is_positive "$_heal_fleet_burst" && _heal_is_positive "$_heal_slots_max" || return 1
  _heal_problem='HEAL_FLEET_LOCK_TTL and HEAL_FLEET_STORM_WINDOW must be whole seconds from 1 to 86400'
  _heal_is_positive "$ttl" && _heal_is_positive "$window" && ((ttl <= 86400 && window <= 86400)) || return 1
  _heal_lock_ttl=$ttl _heal_storm_window=$window _heal_storm_limit=${HEAL_FLEET_STORM-}
  _heal_problem='HEAL_FLEET_STORM must be a number of hosts, such as 10, or 20%'
  case $_heal_storm_limit in
    '') ;;
    *%) _heal_is_count "${_heal_storm_limit%\%}" && ((${_heal_storm_limit%\%} <= 100)) || return 1 ;;
    *) _heal_is_positive "$_heal_storm_limit" || return 1 ;;
  esac
  _heal_problem="HEAL_REDIS_UNREACHABLE must be 'deny' or 'local-only'"
  case ${HEAL_REDIS_UNREACHABLE:-deny} in
    deny) _heal_local_only=0 ;;
    local-only) _heal_local_only=1 ;;
    *) return 1 ;;
  esac
  _heal_problem=''
}

# Why this host is not in the rollout yet, in _heal_outside; '' if it is.
_heal_take_stage() {
  local stage=${HEAL_STAGE-} canary place
  _heal_outside=''
  _heal_problem='HEAL_CANARIES must be names of hosts, parted by commas or spaces'
  [[ ${HEAL_CANARIES-} != *[!A-Za-z0-9._*?\ ,-]* ]] || return 1
  _heal_problem='HEAL_STAGE must be one of dev, dry-run, canary, 10%, 25%, 50%, 100%'
  case $stage in
    '' | 100%) ;;
    dev | dry-run) _heal_outside="stage $stage: no host acts yet" ;;
    canary | 10% | 25% | 50%)
      for canary in ${HEAL_CANARIES//,/ }; do
        # shellcheck disable=SC2053 # a pattern it is, of letters, * and ?
        [[ $_heal_host != $canary ]] || stage=100%
      done
      if [[ $stage == canary ]]; then
        _heal_outside="stage canary: $_heal_host is no canary"
      elif [[ $stage != 100% ]]; then
        _heal_problem='sha256sum does not answer'
        _heal_hash "$NAME/$_heal_host" || return 1
        place=$((16#${_heal_hashes[0]:0:8} % 100))
        ((place < ${stage%\%})) || _heal_outside="stage $stage: $_heal_host has place $place of 100"
      fi
      ;;
    *) return 1 ;;
  esac
  _heal_problem=''
}

# What the environment says of dry-run: 0 live, 1 dry, with _heal_dry_why.
_heal_dry_env() {
  [[ -n ${DRY_RUN-} ]] || return 0
  local word=${DRY_RUN-}
  word=${word#"${word%%[!$' \t']*}"}
  word=${word%"${word##*[!$' \t']}"}
  case ${word,,} in
    '' | false | 0 | no | off) return 0 ;;
    true | 1 | yes | on) _heal_dry_why='DRY_RUN says dry' ;;
    *) _heal_dry_why='DRY_RUN is neither true nor false, so dry' ;;
  esac
  return 1
}

# Whether a directory below the state directory is missing that a commit writes to.
_heal_incomplete() {
  [[ ! (-d $_heal_dir/keys && -d $_heal_dir/rate && -d $_heal_dir/cb && -d $_heal_dir/claims &&
    -d $_heal_dir/dry/keys && -d $_heal_dir/dry/rate && -d $_heal_dir/.scratch) ]]
}

# Make the state directory and the directory of the audit log where they are missing.
_heal_layout() {
  local made=()
  _heal_incomplete && made=("$_heal_dir"/{keys,rate,cb,claims,dry/keys,dry/rate,.scratch})
  [[ -d ${_heal_audit%/*} ]] || made+=("${_heal_audit%/*}")
  ((${#made[@]})) || return 0
  mkdir -p -- "${made[@]}" 2>/dev/null
}
