# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The guardrails: hold, idempotency, rate, circuit, fleet, dry-run, in this order and in the words of
# the contract ("Reasons"). Reading takes no lock, because every file is replaced whole.

_heal_intent='' _heal_scope='' _heal_file=''
_heal_v_allow=0 _heal_v_guard='' _heal_v_reason='' _heal_v_earliest='' _heal_v_probe=0
_heal_dry=0 _heal_dry_why='' _heal_mend=0
_heal_g_rate=1 _heal_g_rate_why='' _heal_g_cb=1 _heal_g_cb_why=''
_heal_g_claim='' _heal_g_claim_why='' _heal_g_flying='' _heal_g_flying_at=0 _heal_g_scope_pid=''
declare -gA _heal_g_markers=()

# Take intent $1 and scope $2 ('': the VERB); 1 with the reason in _heal_text if it is none.
_heal_taken_as='' _heal_taken_scope='' _heal_taken_file=''
_heal_take_intent() {
  if [[ -n $1 && "$2"$'\n'"$1" == "$_heal_taken_as" ]]; then
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
  _heal_taken_as=$2$'\n'$1 _heal_taken_scope=$_heal_scope _heal_taken_file=$_heal_file
}

# Whether this is dry: _heal_dry and _heal_dry_why.
_heal_take_mode() {
  local rc=0
  _heal_dry=0 _heal_dry_why=''
  _heal_read_override dry-run || rc=$?
  if ((rc == 2)); then
    _heal_dry=1 _heal_dry_why="dry-run is corrupt, so dry: $_heal_why"
  elif ((rc == 0 && (_heal_o_until == 0 || _heal_o_until > _heal_now))); then
    [[ $_heal_o_word == on ]] && _heal_dry=1 _heal_dry_why="set by $_heal_o_operator"
  elif ! _heal_dry_env; then
    _heal_dry=1
  fi
  ((_heal_forced_dry)) && _heal_dry=1 _heal_dry_why='DRY_RUN says dry'
  [[ -z $_heal_outside || $_heal_dry -eq 1 ]] || _heal_dry=1 _heal_dry_why=$_heal_outside
  return 0
}

_heal_deny() {
  ((_heal_v_allow)) || return 0
  _heal_v_allow=0 _heal_v_guard=$1 _heal_v_reason=$2 _heal_v_earliest=$3
}

# Read what a verdict on the taken intent depends on. Sets _heal_mend if an interrupted claim or a time
# that cannot be has to be written back first. $1 = 1: pretend that it was (for a plan).
_heal_gather() {
  local pretend=$1 slot rc shadow='' d=$_heal_dir sound=0
  _heal_mend=0 _heal_g_claim='' _heal_g_flying='' _heal_g_scope_pid='' _heal_g_markers=()
  _heal_take_mode
  ((_heal_dry)) && shadow=dry/
  if [[ -e $d && ! (-d $d && -r $d && -x $d) ]]; then
    _heal_g_claim=$d _heal_g_claim_why='not readable'
    return 0
  fi
  # As they mostly are, asked at once.
  [[ -r $d/rate && -x $d/rate && -r $d/cb && -x $d/cb && -r $d/claims && -x $d/claims && ! -L $d/rate &&
    ! -L $d/cb && ! -L $d/claims && -d $d/rate && -d $d/cb && -d $d/claims && $_heal_dry -eq 0 ]] && sound=1
  if ((sound)) || _heal_dir_ok "${shadow}rate"; then
    _heal_read_bucket "${shadow}rate/$_heal_file" && _heal_g_rate=0 || _heal_g_rate=$?
  else
    _heal_g_rate=2
  fi
  ((_heal_g_rate == 0 && _heal_r_last > _heal_now)) && _heal_mend=1
  _heal_g_rate_why=$_heal_why
  if ((sound)) || _heal_dir_ok cb; then
    _heal_read_breaker "$_heal_file" && _heal_g_cb=0 || _heal_g_cb=$?
  else
    _heal_g_cb=2
  fi
  _heal_g_cb_why=$_heal_why
  if ((_heal_g_cb == 0)); then
    _heal_breaker_now 0 1
    ((_heal_n_odd)) && _heal_mend=1
  fi
  if ! { ((sound)) || _heal_dir_ok claims; }; then
    _heal_g_claim=claims _heal_g_claim_why=$_heal_why
    return 0
  fi
  _heal_list_slots
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
    elif ((pretend)); then
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
_heal_judge_marker() {
  local key=$1 window=$2 rc=0 until what at outcome known=${_heal_g_markers["$1"]-} shadow=''
  ((_heal_dry)) && shadow=dry/
  if [[ -n $known && $_heal_dry -eq 0 ]]; then
    at=${known% *} outcome=${known#* }
  else
    if _heal_dir_ok "${shadow}keys"; then _heal_read_marker "${shadow}keys/$key" || rc=$?; else rc=2; fi
    ((rc == 1)) && return 0
    at=$_heal_m_at outcome=$_heal_m_outcome
  fi
  until=$(((window + 2) * _heal_bucket))
  if ((rc == 2)); then
    what="${shadow}keys/$key is corrupt: $_heal_why"
  else
    case $outcome in
      started | success | interrupted | dry-run) ;;
      legacy) outcome='legacy marker' ;;
      *) outcome='unknown outcome' ;;
    esac
    local from=$((at > window * _heal_bucket ? at : window * _heal_bucket))
    ((from + _heal_bucket < until)) && until=$((from + _heal_bucket))
    what="acted on $((at < _heal_now ? _heal_now - at : 0)) s ago ($outcome)"
  fi
  ((until <= _heal_now)) && return 0
  _heal_deny idempotency "$what, not again for $((until - _heal_now)) s" "$until"
}

_heal_judge_hold() {
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
  [[ -n $_heal_f_halted ]] || return 0
  local until=$_heal_f_halt_until
  ((until)) || until=''
  _heal_deny hold "$_heal_f_halt_of halted: $_heal_f_halted" "$until"
}

_heal_judge_idempotency() {
  local window=$((_heal_now / _heal_bucket)) since
  if [[ -n $_heal_g_claim ]]; then
    _heal_deny idempotency "$_heal_g_claim is corrupt: $_heal_g_claim_why" ''
  elif [[ -n $_heal_g_flying ]]; then
    since=$((_heal_now > _heal_g_flying_at ? _heal_now - _heal_g_flying_at : 0))
    _heal_deny idempotency "in flight: pid $_heal_g_flying for $since s" ''
  fi
  ((_heal_v_allow)) || return 0
  if ! _heal_keys_of "$_heal_intent" "$window"; then
    _heal_deny idempotency 'sha256sum does not answer' ''
    return 0
  fi
  _heal_judge_marker "$_heal_key" "$window"
  ((_heal_v_allow)) && _heal_judge_marker "$_heal_key_before" "$((window - 1))"
  return 0
}

_heal_judge_rate() {
  local shadow=''
  if ((_heal_g_rate == 2)); then
    ((_heal_dry)) && shadow=dry/
    _heal_deny rate "${shadow}rate/$_heal_file is corrupt: $_heal_g_rate_why" ''
    return 0
  fi
  _heal_num=$((_heal_burst * 1000000))
  ((_heal_g_rate == 0)) && _heal_tokens_at "$_heal_r_last" "$_heal_r_tokens"
  ((_heal_num < 1000000)) || return 0
  _heal_short_of rate '' "$_heal_num" "$_heal_rate" "$_heal_burst"
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
  local until=$_heal_n_until left=$((${_heal_n_until:-$_heal_now} - _heal_now))
  case $_heal_n_state in
    closed) ;;
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
  _heal_v_allow=1 _heal_v_guard='' _heal_v_reason='' _heal_v_earliest='' _heal_v_probe=0
  _heal_judge_hold
  ((_heal_v_allow)) && _heal_judge_idempotency
  ((_heal_v_allow)) && _heal_judge_rate
  ((_heal_v_allow)) && _heal_judge_circuit
  ((_heal_v_allow)) && _heal_judge_fleet
  if ((! _heal_v_allow)); then
    _heal_v_probe=0
    return 1
  fi
  if ((_heal_dry)); then
    _heal_v_probe=0 _heal_v_reason="dry-run: $_heal_dry_why"
  elif ((_heal_v_probe)); then
    _heal_v_reason='half-open, this is its one probe'
  else
    _heal_v_reason='all guardrails pass'
  fi
}
