# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The guardrails: hold, idempotency, rate, circuit, fleet, dry-run, in this order and in the words of
# the contract ("Reasons"). Reading takes no lock, because every file is replaced whole.
#
# A denial is what a healer gets most often. On its way functions have no locals, as each scope makes every
# variable behind it dearer to find, and are short, as bash copies a function whenever it is called.

_heal_intent='' _heal_scope='' _heal_file=''
_heal_v_allow=0 _heal_v_guard='' _heal_v_reason='' _heal_v_earliest='' _heal_v_probe=0
_heal_dry=0 _heal_dry_why='' _heal_shadow='' _heal_mend=0 _heal_sound=0
_heal_g_rate=1 _heal_g_rate_why='' _heal_g_cb=1 _heal_g_cb_why=''
_heal_g_claim='' _heal_g_claim_why='' _heal_g_flying='' _heal_g_flying_at=0 _heal_g_scope_pid=''
declare -gA _heal_g_markers=()

# Take intent $1 and scope $2 ('': the VERB); 1 with the reason in _heal_text if it is none.
_heal_taken_as='' _heal_taken_with='' _heal_taken_scope='' _heal_taken_file=''
_heal_take_intent() {
  if [[ -n $1 && $1 == "$_heal_taken_as" && $2 == "$_heal_taken_with" ]]; then
    _heal_intent=$1 _heal_scope=$_heal_taken_scope _heal_file=$_heal_taken_file
    return 0
  fi
  _heal_intent=$1 _heal_scope='' _heal_file=''
  _heal_is_intent intent "$1" || return 1
  if [[ -n $2 ]]; then
    _heal_is_intent scope "$2" || return 1
    _heal_scope=$2
  else
    _heal_scope=${1%% *}
  fi
  _heal_scope_file "$_heal_scope" || {
    _heal_text='sha256sum does not answer'
    return 1
  }
  _heal_file=$_heal_text
  _heal_taken_as=$1 _heal_taken_with=$2 _heal_taken_scope=$_heal_scope _heal_taken_file=$_heal_file
}

# Whether this is dry: _heal_dry and _heal_dry_why.
_heal_take_mode() {
  _heal_dry=0 _heal_dry_why=''
  if [[ -e $_heal_dir/dry-run || -L $_heal_dir/dry-run ]]; then
    _heal_take_override
  elif [[ -n ${DRY_RUN-} ]]; then
    _heal_dry_env || _heal_dry=1
  fi
  ((! _heal_forced_dry)) || _heal_dry=1 _heal_dry_why='DRY_RUN says dry'
  [[ -z $_heal_outside || $_heal_dry -eq 1 ]] || _heal_dry=1 _heal_dry_why=$_heal_outside
}

# The same where there is a file of that name.
_heal_take_override() {
  local rc=0
  _heal_read_override dry-run || rc=$?
  if ((rc == 2)); then
    _heal_dry=1 _heal_dry_why="dry-run is corrupt, so dry: $_heal_why"
  elif ((rc == 0 && (_heal_o_until == 0 || _heal_o_until > _heal_now))); then
    [[ $_heal_o_word == off ]] || _heal_dry=1 _heal_dry_why="set by $_heal_o_operator"
  else
    _heal_dry_env || _heal_dry=1
  fi
}

_heal_deny() {
  ((_heal_v_allow)) || return 0
  _heal_v_allow=0 _heal_v_guard=$1 _heal_v_reason=$2 _heal_v_earliest=$3
}

# Read what a verdict on the taken intent depends on. Sets _heal_mend if an interrupted claim or a time
# that cannot be has to be written back first. $1 = 1: pretend that it was (for a plan).
_heal_gather() {
  _heal_mend=0 _heal_g_claim='' _heal_g_flying='' _heal_g_scope_pid='' _heal_g_cb=1
  ((${#_heal_g_markers[@]} == 0)) || _heal_g_markers=()
  # Live, and the directories as they mostly are: asked at once.
  if [[ -z ${DRY_RUN#false}$_heal_outside && $_heal_forced_dry -eq 0 && ! -e $_heal_dir/dry-run &&
    ! -L $_heal_dir/dry-run && -r $_heal_dir && -x $_heal_dir/rate/. && -r $_heal_dir/rate && ! -L $_heal_dir/rate &&
    -x $_heal_dir/cb/. && -r $_heal_dir/cb && ! -L $_heal_dir/cb && -x $_heal_dir/keys/. && -r $_heal_dir/keys &&
    ! -L $_heal_dir/keys && ! -L $_heal_dir/claims &&
    ((-x $_heal_dir/claims/. && -r $_heal_dir/claims) || ! -e $_heal_dir/claims) ]]; then
    _heal_dry=0 _heal_dry_why='' _heal_shadow='' _heal_sound=1
    _heal_read_bucket "rate/$_heal_file" && _heal_g_rate=0 || _heal_g_rate=$? _heal_g_rate_why=$_heal_why
    ((_heal_g_rate || _heal_r_last <= _heal_now)) || _heal_mend=1
    # A breaker is there only since something has failed.
    [[ ! -e $_heal_dir/cb/$_heal_file && ! -L $_heal_dir/cb/$_heal_file ]] || _heal_gather_breaker
  else
    _heal_gather_oddly || return 0
  fi
  set +f
  _heal_slots=("$_heal_dir"/claims/*)
  set -f
  # Mostly there is no slot yet, or the one, and that is free.
  # shellcheck disable=SC2128 # the first is meant: asked for by its number it costs five times as much
  [[ ${#_heal_slots[@]} -eq 1 && ($_heal_slots == *'/*' || ($_heal_slots == */0 && -f $_heal_slots &&
    -r $_heal_slots && ! -s $_heal_slots && ! -L $_heal_slots)) ]] || _heal_gather_claims "$1"
}

# The same, up to the claims, of directories as they may be. 1: they cannot be looked at, which denies.
_heal_gather_oddly() {
  _heal_sound=0 _heal_shadow='' _heal_g_rate=2
  _heal_take_mode
  ((! _heal_dry)) || _heal_shadow=dry/
  if [[ ! (-x $_heal_dir/. && -r $_heal_dir) && -e $_heal_dir ]]; then
    _heal_g_rate=1 _heal_g_claim=$_heal_dir _heal_g_claim_why='not readable'
    return 1
  fi
  if _heal_dir_ok "${_heal_shadow}rate"; then
    _heal_read_bucket "${_heal_shadow}rate/$_heal_file" && _heal_g_rate=0 || _heal_g_rate=$?
  fi
  _heal_g_rate_why=$_heal_why
  ((_heal_g_rate || _heal_r_last <= _heal_now)) || _heal_mend=1
  _heal_gather_breaker
  _heal_dir_ok claims && return 0
  _heal_g_claim=claims _heal_g_claim_why=$_heal_why
  return 1
}

_heal_gather_breaker() {
  _heal_g_cb=2
  if ((_heal_sound)) || _heal_dir_ok cb; then
    _heal_read_breaker "$_heal_file" && _heal_g_cb=0 || _heal_g_cb=$?
  fi
  _heal_g_cb_why=$_heal_why
  ((_heal_g_cb == 0)) || return 0
  _heal_breaker_now 0 1
  ((! _heal_n_odd)) || _heal_mend=1
}

_heal_gather_claims() {
  local slot rc
  _heal_sort_slots
  for slot in "${_heal_slots[@]}"; do
    rc=0
    _heal_read_claim "$slot" || rc=$?
    ((rc == 1)) && continue
    if ((rc == 2)); then
      [[ -n $_heal_g_claim$_heal_g_flying ]] || _heal_g_claim=claims/$slot _heal_g_claim_why=$_heal_why
    elif ((_heal_c_alive)); then
      [[ $_heal_c_file != "$_heal_file" || -n $_heal_g_scope_pid ]] || _heal_g_scope_pid=$_heal_c_pid
      [[ $_heal_c_intent != "$_heal_intent" || -n $_heal_g_claim$_heal_g_flying ]] ||
        _heal_g_flying=$_heal_c_pid _heal_g_flying_at=$_heal_c_at
    elif (($1)); then
      _heal_pretend_recovered
    else
      _heal_mend=1
    fi
  done
}

# As _heal_recover would leave the files, in the variables alone.
_heal_pretend_recovered() {
  local rc=0 at=$_heal_c_at
  _heal_read_marker "keys/$_heal_c_key" || rc=$?
  if ((rc == 0)); then
    ((_heal_m_at > at)) && at=$_heal_m_at
  fi
  [[ $rc -eq 2 || ($rc -eq 0 && $_heal_m_outcome == success) ]] ||
    _heal_g_markers["$_heal_c_key"]="$at interrupted"
  [[ $_heal_c_file == "$_heal_file" ]] || return 0
  if ((_heal_g_cb != 2)) && [[ $rc -ne 0 || $_heal_m_outcome != success ]]; then
    _heal_after_failure "$_heal_g_cb"
    # shellcheck disable=SC2206 # words they are
    local field=($_heal_text)
    _heal_b_failures=${field[0]} _heal_b_last=${field[1]} _heal_b_state=${field[4]} _heal_b_until=${field[5]}
    _heal_g_cb=0
  fi
  ((_heal_dry || _heal_g_rate == 2)) && return 0
  if _heal_spent_more; then
    _heal_r_last=$((_heal_c_last < _heal_now ? _heal_c_last : _heal_now)) _heal_r_tokens=$_heal_c_tokens _heal_g_rate=0
  fi
}

# Whether the claim that was read leaves fewer tokens than the bucket that was read (_heal_g_rate).
_heal_spent_more() {
  local there=$((_heal_burst * 1000000))
  if ((_heal_g_rate == 0)); then
    _heal_tokens_at "$_heal_r_last" "$_heal_r_tokens"
    there=$_heal_num
  fi
  _heal_tokens_at "$_heal_c_last" "$_heal_c_tokens"
  ((_heal_num < there))
}

# What the marker $1 of window $2 says: denies in the words of the contract.
_heal_window=0 _heal_until='' _heal_what=''
_heal_judge_marker() {
  if ((_heal_sound && ${#_heal_g_markers[@]} == 0)); then _heal_read_marker "keys/$1"; else _heal_find_marker "$1"; fi
  case $? in
    0)
      # It holds for one window from when it was made, within its own and the next.
      _heal_until=$(((_heal_m_at > $2 * _heal_bucket ? _heal_m_at : $2 * _heal_bucket) + _heal_bucket))
      ((_heal_until <= ($2 + 2) * _heal_bucket)) || _heal_until=$((($2 + 2) * _heal_bucket))
      _heal_what=$_heal_m_outcome
      [[ $_heal_what == success || $_heal_what == started ]] || _heal_name_outcome
      _heal_what="acted on $((_heal_m_at < _heal_now ? _heal_now - _heal_m_at : 0)) s ago ($_heal_what)"
      ;;
    1) return 0 ;;
    *) _heal_until=$((($2 + 2) * _heal_bucket)) _heal_what="${_heal_shadow}keys/$1 is corrupt: $_heal_why" ;;
  esac
  ((_heal_until <= _heal_now)) || _heal_v_allow=0 _heal_v_guard=idempotency _heal_v_earliest=$_heal_until \
    _heal_v_reason="$_heal_what, not again for $((_heal_until - _heal_now)) s"
}

# The marker $1, as it is or as a recovery would leave it. Returns as _heal_slurp.
_heal_find_marker() {
  if ((${#_heal_g_markers[@]} && ! _heal_dry)) && [[ -n ${_heal_g_markers["$1"]-} ]]; then
    _heal_m_at=${_heal_g_markers["$1"]% *} _heal_m_outcome=${_heal_g_markers["$1"]#* }
  elif ((_heal_sound)) || _heal_dir_ok "${_heal_shadow}keys"; then
    _heal_read_marker "${_heal_shadow}keys/$1"
  else
    return 2
  fi
}

_heal_name_outcome() {
  case $_heal_what in
    interrupted | dry-run) ;;
    legacy) _heal_what='legacy marker' ;;
    *) _heal_what='unknown outcome' ;;
  esac
}

_heal_judge_hold() {
  _heal_judge_own_hold
  # A stop without an end has 0 for it.
  [[ -z $_heal_f_halted ]] || _heal_deny hold "$_heal_f_halt_of halted: $_heal_f_halted" "${_heal_f_halt_until#0}"
}
_heal_judge_own_hold() {
  local rc=0
  _heal_read_override hold || rc=$?
  if ((rc == 2)); then
    _heal_deny hold "hold is corrupt: $_heal_why" ''
  elif ((rc == 0)) && [[ $_heal_o_word == on ]]; then
    if ((_heal_o_until == 0)); then
      _heal_deny hold "held by $_heal_o_operator until released" ''
    elif ((_heal_o_until > _heal_now)); then
      _heal_deny hold "held by $_heal_o_operator for $((_heal_o_until - _heal_now)) s more" "$_heal_o_until"
    fi
  fi
}

_heal_judge_idempotency() {
  _heal_window=$((_heal_now / _heal_bucket))
  if [[ -n $_heal_g_claim$_heal_g_flying ]]; then
    _heal_judge_claim
  elif [[ $_heal_keys_are != "$_heal_window $_heal_intent" ]] && ! _heal_find_keys "$_heal_intent" "$_heal_window"; then
    _heal_deny idempotency 'sha256sum does not answer' ''
  elif [[ $_heal_sound -eq 0 || ${#_heal_g_markers[@]} -gt 0 || -e $_heal_dir/keys/$_heal_key ||
    -e $_heal_dir/keys/$_heal_key_before || -L $_heal_dir/keys/$_heal_key || -L $_heal_dir/keys/$_heal_key_before ]]; then
    _heal_judge_marker "$_heal_key" "$_heal_window"
    ((! _heal_v_allow)) || _heal_judge_marker "$_heal_key_before" $((_heal_window - 1))
  fi
}
_heal_judge_claim() {
  local since=$((_heal_now > _heal_g_flying_at ? _heal_now - _heal_g_flying_at : 0))
  if [[ -n $_heal_g_claim ]]; then
    _heal_deny idempotency "$_heal_g_claim is corrupt: $_heal_g_claim_why" ''
  else
    _heal_deny idempotency "in flight: pid $_heal_g_flying for $since s" ''
  fi
}

_heal_judge_rate() {
  if ((_heal_g_rate == 2)); then
    _heal_deny rate "${_heal_shadow}rate/$_heal_file is corrupt: $_heal_g_rate_why" ''
  elif ((_heal_g_rate == 0)); then
    _heal_tokens_at "$_heal_r_last" "$_heal_r_tokens"
    ((_heal_num >= 1000000)) || _heal_short_of rate '' "$_heal_num" "$_heal_rate" "$_heal_burst"
  fi
}

# Deny by $1, after the words $2, because $3 millionths are too few, of a bucket with rate $4 and burst $5.
_heal_short_of() {
  local said="$2$(($3 / 1000000)).$(($3 % 1000000 / 100000)) of $5 tokens" wait
  if (($4 == 0)); then
    _heal_deny "$1" "$said, and none to come" ''
  else
    wait=$(((1000000 - $3 + $4 - 1) / $4))
    _heal_deny "$1" "$said, one in $wait s" "$((_heal_now + wait))"
  fi
}

_heal_judge_circuit() {
  if ((_heal_g_cb == 2)); then
    _heal_deny circuit "cb/$_heal_file is corrupt: $_heal_g_cb_why" ''
    return 0
  fi
  _heal_breaker_now "$_heal_g_cb" 1
  [[ $_heal_n_state == closed ]] || _heal_judge_stopped
}
_heal_judge_stopped() {
  local until=$_heal_n_until left=$((${_heal_n_until:-$_heal_now} - _heal_now))
  case $_heal_n_state in
    open) _heal_deny circuit "$_heal_b_failures of $_heal_max failed, open for $left s more" "$until" ;;
    forced-open)
      if [[ -z $until ]]; then
        _heal_deny circuit 'forced open until reset' ''
      else
        _heal_deny circuit "forced open for $left s more" "$until"
      fi
      ;;
    *)
      if [[ -n $_heal_g_scope_pid ]]; then
        _heal_deny circuit "half-open, pid $_heal_g_scope_pid is in flight" ''
      elif [[ -n $until ]]; then
        _heal_deny circuit "half-open, a probe is out for at most $left s more" "$until"
      else
        _heal_v_probe=1
      fi
      ;;
  esac
}

# The verdict on what was gathered: _heal_v_*.
_heal_judge() {
  _heal_v_allow=1 _heal_v_probe=0
  [[ -z $_heal_f_halted && ! -e $_heal_dir/hold && ! -L $_heal_dir/hold ]] || _heal_judge_hold
  ((_heal_v_allow)) && _heal_judge_idempotency
  ((_heal_v_allow)) && _heal_judge_rate
  ((_heal_v_allow)) && _heal_judge_circuit
  ((_heal_v_allow)) && _heal_judge_fleet
  if ((_heal_v_allow)); then
    _heal_allowed
  else
    _heal_v_probe=0
    return 1
  fi
}
_heal_allowed() {
  _heal_v_guard='' _heal_v_earliest=''
  if ((_heal_dry)); then
    _heal_v_probe=0 _heal_v_reason="dry-run: $_heal_dry_why"
  elif ((_heal_v_probe)); then
    _heal_v_reason='half-open, this is its one probe'
  else
    _heal_v_reason='all guardrails pass'
  fi
}
