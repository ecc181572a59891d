# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# What an act leaves on disk before it starts and when its outcome is known, under .guard, so that
# whatever write the process dies at, the act is not repeated, its token stays spent, and the log
# tells of it.

declare -ga _heal_durable=()
declare -gA _heal_durable_slots=()
_heal_slot='' _heal_at=0 _heal_claim_key=''

# Whether drafts can be written: beyond a link a rename might be a copy, and in somebody else's folder.
_heal_scratch_ok() {
  [[ ! -L $_heal_dir/.scratch ]] && return 0
  _heal_problem='.scratch: a symbolic link, not a directory'
  return 1
}

# Rename the draft $1, which holds $3, to $2. A mv that is killed when its work is done looks as if it had
# failed; the file tells.
_heal_rename() {
  mv -f -- "$1" "$2" 2>/dev/null || { [[ ! -e $1 ]] && _heal_slurp "$2" 65536 && [[ $_heal_raw == "$3" ]]; }
}

# Put the line $2 in place of the file $1 (below the state directory): whole and durable, or not at all.
_heal_replace() {
  local draft=$_heal_dir/.scratch/heal.sh target=$_heal_dir/$1
  _heal_scratch_ok || return 1
  if [[ $1 == */* ]] && ! _heal_dir_ok "${1%/*}"; then
    _heal_problem="${1%/*}: $_heal_why"
    return 1
  fi
  _heal_problem="$1 cannot be written"
  [[ ! -L $target && (! -e $target || -f $target) ]] || return 1
  _heal_write "$draft" "$2"$'\n' && sync -- "$draft" 2>/dev/null && _heal_rename "$draft" "$target" "$2"$'\n' &&
    sync -- "${target%/*}" 2>/dev/null && _heal_problem=''
}

# Settle what is interrupted and write back times that cannot be; the lock is held.
_heal_settle_all() {
  local slot folder
  _heal_layout || :
  _heal_list_slots
  for slot in "${_heal_slots[@]}"; do
    _heal_read_claim "$slot" || continue
    ((_heal_c_alive)) || _heal_recover "$slot" || return 1
  done
  [[ -n $_heal_file ]] || return 0
  for folder in rate dry/rate; do
    if _heal_read_bucket "$folder/$_heal_file" && ((_heal_r_last > _heal_now)); then
      _heal_tokens_at "$_heal_now" "$_heal_r_tokens"
      _heal_bucket_line "$_heal_now" "$_heal_num"
      _heal_replace "$folder/$_heal_file" "$_heal_text" || return 1
    fi
  done
  if _heal_read_breaker "$_heal_file"; then
    _heal_breaker_now 0 1
    if ((_heal_n_odd)); then
      _heal_mended_breaker
      _heal_replace "cb/$_heal_file" "$_heal_text" || return 1
    fi
  fi
}

# A bucket's line, in _heal_text: last refill and millionths.
_heal_bucket_line() {
  local tokens
  _heal_decimal "$2"
  tokens=$_heal_text
  _heal_decimal "$_heal_rate"
  _heal_text="$1 $tokens $_heal_text $_heal_burst"
}

# Settle the claim that was read from slot $1; its process is gone.
_heal_recover() {
  local slot=$1 rc=0 at=$_heal_c_at scope reason proved=0 dry=$_heal_dry
  local pid=$_heal_c_pid key=$_heal_c_key file=$_heal_c_file intent=$_heal_c_intent
  _heal_read_bucket "rate/$file" && _heal_g_rate=0 || _heal_g_rate=$?
  if ((_heal_g_rate != 2)) && _heal_spent_more; then
    _heal_bucket_line "$((_heal_c_last < _heal_now ? _heal_c_last : _heal_now))" "$_heal_c_tokens"
    _heal_replace "rate/$file" "$_heal_text" || return 1
  fi
  if _heal_unpercent "$file" && [[ $file != *%~* ]]; then scope=$_heal_text; else scope=$file; fi
  _heal_read_marker "keys/$key" || rc=$?
  if ((rc == 0)); then
    [[ $_heal_m_outcome == success ]] && proved=1
    [[ -n $_heal_m_scope ]] && {
      printf -v _heal_m_scope '%b' "${_heal_m_scope//\\\"/\"}"
      scope=$_heal_m_scope
    }
    ((_heal_m_at > at)) && at=$_heal_m_at
  fi
  reason="pid $pid ended without recording an outcome"
  ((proved)) && reason="pid $pid ended before it recorded its success"
  if ((! proved && rc != 2)); then
    _heal_marker_line "$intent" "$scope" "$at" "$pid" interrupted
    _heal_replace "keys/$key" "${_heal_text%$'\n'}" || return 1
  fi
  _heal_dry=0
  _heal_event interrupted "$reason" '' 0 1 "$intent" "$scope" "$key"
  _heal_dry=$dry
  _heal_append || return 1
  sync -d -- "$_heal_audit" 2>/dev/null || return 1
  if ((! proved)); then
    rc=0
    _heal_read_breaker "$file" || rc=$?
    if ((rc != 2)); then
      _heal_after_failure "$rc"
      _heal_replace "cb/$file" "$_heal_text" || return 1
    fi
  fi
  _heal_write "$_heal_dir/claims/$slot" '' || return 1
  ((_heal_acted[interrupted] += 1)) || :
  heal_log "interrupted: $intent ($reason)"
}

# Peek and, if something has to be mended first, mend. Leaves the verdict in _heal_v_*.
_heal_peek() {
  _heal_clock
  _heal_gather 0
  if ((_heal_mend)); then
    _heal_settle_now
    _heal_clock
    _heal_gather 1
  fi
  _heal_judge
}

# Settle what needs it, under a lock of its own; says what could not be.
_heal_settle_now() {
  if ! _heal_names_usable; then
    heal_log "$_heal_problem"
  elif _heal_lock; then
    # The lock may have been waited for.
    _heal_clock
    _heal_settle_all || heal_log "$_heal_problem"
    _heal_unlock
  else
    heal_log "$_heal_problem"
  fi
}

# Deny because what must be recorded cannot be.
_heal_unrecorded() {
  _heal_v_allow=0 _heal_v_guard=record _heal_v_reason=$1 _heal_v_earliest='' _heal_v_probe=0 _heal_dry=0
  return 1
}

# Take the token, the marker and the claim, and announce the start, all durable; or deny. $1 the reason.
_heal_commit() {
  _heal_layout || {
    _heal_unrecorded "$_heal_dir cannot be made"
    return 1
  }
  _heal_lock || {
    _heal_unrecorded "$_heal_problem"
    return 1
  }
  _heal_clock
  _heal_gather 0
  if ((_heal_mend)); then
    _heal_settle_all || {
      _heal_unlock
      _heal_unrecorded "$_heal_problem"
      return 1
    }
    _heal_gather 0
  fi
  # Asked again too: the lock may have been waited for.
  _heal_fleet_look leased
  # The token of the fleet last of all, so that nothing denies what has spent one.
  if ! _heal_judge || { ((! _heal_dry)) && ! _heal_fleet_spend; }; then
    _heal_unlock
    return 1
  fi
  local rc=0
  _heal_denial_over "$_heal_scope"
  if ((_heal_dry)); then
    _heal_rehearse || rc=1
  else
    _heal_begin "$1" || rc=1
    ((rc == 0)) || _heal_fleet_unspend
  fi
  _heal_unlock
  return "$rc"
}

# The bucket after one token was taken: _heal_num millionths, and its line in _heal_text.
_heal_taken() {
  local tokens=$((_heal_burst * 1000000))
  if ((_heal_g_rate == 0)); then
    _heal_tokens_at "$_heal_r_last" "$_heal_r_tokens"
    tokens=$_heal_num
  fi
  tokens=$((tokens - 1000000))
  ((tokens < 0)) || _heal_bucket_line "$_heal_now" "$tokens"
  _heal_num=$tokens
}

_heal_begin() {
  local dir=$_heal_dir draft=$_heal_dir/.scratch/rate.sh probe=$_heal_dir/.scratch/cb.sh
  local marker=$_heal_dir/keys/$_heal_key tokens claim rate cb='' files=()
  _heal_at=$_heal_now _heal_claim_key=$_heal_key
  _heal_scratch_ok || {
    _heal_unrecorded "$_heal_problem"
    return 1
  }
  _heal_identity
  if [[ -z $_heal_start ]]; then
    _heal_unrecorded '/proc does not tell when this process started'
    return 1
  fi
  _heal_slot=0
  while [[ -s $dir/claims/$_heal_slot || -L $dir/claims/$_heal_slot ]] ||
    [[ -e $dir/claims/$_heal_slot && ! -f $dir/claims/$_heal_slot ]]; do
    ((_heal_slot += 1)) || :
  done
  _heal_taken
  tokens=$_heal_num rate=$_heal_text$'\n'
  _heal_problem="rate/$_heal_file cannot be written"
  _heal_write "$draft" "$rate" || {
    _heal_take_back ''
    return 1
  }
  files=("$draft" "$marker" "$dir/claims/$_heal_slot" "$_heal_audit" "$dir/keys")
  if ((_heal_v_probe)); then
    _heal_with_probe
    cb=$_heal_text$'\n'
    _heal_problem="cb/$_heal_file cannot be written"
    _heal_write "$probe" "$cb" || {
      _heal_take_back ''
      return 1
    }
    files+=("$probe")
  fi
  # A slot is emptied and not removed, so its name is made durable once. Who made it may have died before that.
  [[ -e $dir/claims/$_heal_slot && -n ${_heal_durable_slots["$dir/claims/$_heal_slot"]-} ]] || files+=("$dir/claims")
  _heal_marker_line "$_heal_intent" "$_heal_scope" "$_heal_at" "$BASHPID" started
  _heal_problem="keys/$_heal_key cannot be written"
  _heal_write "$marker" "$_heal_text" || {
    _heal_take_back "$marker"
    return 1
  }
  _heal_decimal "$tokens"
  claim="v1 $BASHPID $_heal_start $_heal_boot $_heal_at $_heal_key $_heal_file $_heal_v_probe $_heal_at $_heal_text"
  _heal_percent "$_heal_intent" '[^ -$&-~]'
  _heal_problem="claims/$_heal_slot cannot be written"
  _heal_write "$dir/claims/$_heal_slot" "$claim $_heal_text"$'\n' || {
    _heal_take_back "$marker"
    return 1
  }
  _heal_event started "$1" '' 0 1 "$_heal_intent" "$_heal_scope" "$_heal_key"
  _heal_append || {
    _heal_take_back "$marker"
    return 1
  }
  _heal_problem='the state cannot be made durable'
  if ! sync -- "${files[@]}" 2>/dev/null ||
    { [[ -n $cb ]] && ! _heal_rename "$probe" "$dir/cb/$_heal_file" "$cb"; } ||
    ! _heal_rename "$draft" "$dir/rate/$_heal_file" "$rate"; then
    # The log says "started" already, so it has to say how that ended.
    _heal_take_back "$marker"
    _heal_event action-failed "not started: $_heal_v_reason" record 0 1 "$_heal_intent" "$_heal_scope" "$_heal_key"
    _heal_append || heal_log "$_heal_problem"
    return 1
  fi
  ((${#_heal_durable_slots[@]} < 256)) || _heal_durable_slots=()
  _heal_durable_slots["$dir/claims/$_heal_slot"]=1
}

# Take back what a commit wrote: the marker $1 and the claim. Denies with _heal_problem.
_heal_take_back() {
  _heal_unrecorded "$_heal_problem"
  [[ -z $1 ]] || rm -f -- "$1" 2>/dev/null
  if [[ -s $_heal_dir/claims/$_heal_slot ]]; then
    _heal_write "$_heal_dir/claims/$_heal_slot" '' || heal_log "claims/$_heal_slot cannot be emptied"
  fi
}

# Spend a token of the shadow state that dry-run decides on.
_heal_rehearse() {
  _heal_taken
  if _heal_replace "dry/rate/$_heal_file" "$_heal_text"; then
    _heal_marker_line "$_heal_intent" "$_heal_scope" "$_heal_now" "$BASHPID" dry-run
    _heal_replace "dry/keys/$_heal_key" "${_heal_text%$'\n'}" && return 0
  fi
  _heal_unrecorded "$_heal_problem"
}

# Record the outcome $1, for the reason $2, after $3 milliseconds. What cannot be recorded is kept, with
# its claim, which denies meanwhile, and is tried again (_heal_pay).
declare -ga _heal_owed=()
_heal_record() {
  _heal_write_outcome "$@" && return 0
  heal_log "the outcome $1 of $_heal_intent is not recorded yet: $_heal_problem"
  _heal_owed+=("$1" "$2" "$3" "$_heal_intent" "$_heal_scope" "$_heal_file" "$_heal_slot" "$_heal_at"
    "$_heal_claim_key" "$_heal_fact" "$_heal_trigger")
  return 1
}

# Try again to record what could not be.
_heal_pay() {
  ((${#_heal_owed[@]})) || return 0
  _heal_names_usable || {
    heal_log "$_heal_problem"
    return 0
  }
  local owed=("${_heal_owed[@]}") i keep_fact=$_heal_fact keep_trigger=$_heal_trigger
  _heal_owed=() _heal_dry=0
  for ((i = 0; i < ${#owed[@]}; i += 11)); do
    _heal_intent=${owed[i + 3]} _heal_scope=${owed[i + 4]} _heal_file=${owed[i + 5]} _heal_slot=${owed[i + 6]}
    _heal_at=${owed[i + 7]} _heal_claim_key=${owed[i + 8]} _heal_fact=${owed[i + 9]} _heal_trigger=${owed[i + 10]}
    _heal_record "${owed[i]}" "${owed[i + 1]}" "${owed[i + 2]}" || :
  done
  _heal_fact=$keep_fact _heal_trigger=$keep_trigger
}

_heal_write_outcome() {
  local rc=0
  # The marker was made when the act began; one that is removed and comes back denies for its window, and no more.
  _heal_durable=("$_heal_audit" "$_heal_dir/rate")
  _heal_clock
  if [[ $1 == success ]]; then
    _heal_write_success || rc=1
  else
    _heal_write_failure || rc=1
  fi
  if ((rc == 0)); then
    _heal_event "$1" "$2" '' "$3" 1 "$_heal_intent" "$_heal_scope" "$_heal_claim_key"
    _heal_append || rc=1
  fi
  if ((rc == 0)); then
    _heal_problem='it cannot be made durable'
    # The token that the commit took was on disk in the claim alone until now.
    sync -- "${_heal_durable[@]}" 2>/dev/null && _heal_write "$_heal_dir/claims/$_heal_slot" '' || rc=1
  fi
  _heal_unlock
  return "$rc"
}

_heal_write_success() {
  local rc=0 at=$((_heal_now > _heal_at ? _heal_now : _heal_at))
  local window=$((_heal_now / _heal_bucket)) began=$((_heal_at / _heal_bucket)) line key
  _heal_read_breaker "$_heal_file" || rc=$?
  if ((rc == 0)) && _heal_after_success 0 "$_heal_at"; then
    # Only a breaker that has to change needs the lock: marker and claim are this process's own.
    _heal_lock || return 1
    _heal_read_breaker "$_heal_file" || rc=$?
    if ((rc == 0)) && _heal_after_success 0 "$_heal_at"; then
      _heal_replace "cb/$_heal_file" "$_heal_text" || return 1
    fi
  fi
  _heal_marker_line "$_heal_intent" "$_heal_scope" "$at" "$BASHPID" success
  line=$_heal_text
  if ((window != began)); then
    _heal_problem='sha256sum does not answer'
    _heal_keys_of "$_heal_intent" "$window" || return 1
    key=$_heal_key
    _heal_problem="keys/$key cannot be written"
    _heal_write "$_heal_dir/keys/$key" "$line" || return 1
    _heal_durable+=("$_heal_dir/keys/$key" "$_heal_dir/keys")
  fi
  # In place, in one write of the same length: "started" and "success" have seven letters both.
  _heal_problem="keys/$_heal_claim_key cannot be written"
  _heal_overwrite "$_heal_dir/keys/$_heal_claim_key" "$line" || return 1
  _heal_durable+=("$_heal_dir/keys/$_heal_claim_key")
}

_heal_write_failure() {
  local rc=0
  _heal_lock || return 1
  _heal_read_breaker "$_heal_file" || rc=$?
  if ((rc != 2)); then
    _heal_after_failure "$rc"
    _heal_replace "cb/$_heal_file" "$_heal_text" || return 1
  fi
  _heal_problem="keys/$_heal_claim_key cannot be removed"
  rm -f -- "$_heal_dir/keys/$_heal_claim_key" 2>/dev/null
}
