# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# What an act leases from the fleet: the lock, with a fencing number, and a slot of a group.

_heal_fence='' _heal_slot_fence='' _heal_lease_key='' _heal_lease_group='' _heal_lease_owner=''
_heal_lease_every=0 _heal_lease_at=0 _heal_lease_ends=0

# Take the lock $1 for the owner $2 and $3 milliseconds: 0 with _heal_fence, 1 held, 2 unknown.
_heal_lock_take() {
  local script
  _heal_fence=''
  _heal_lua acquire || return 2
  script=$_heal_text
  _heal_tag "$1"
  if _heal_redis EVAL "$script" 3 "heal:lock:$_heal_tagged" "heal:fence:$_heal_tagged" "$_heal_index" "$2" "$3"; then
    [[ ${_heal_replies[0]} == :* ]] || return 1
    _heal_fence=${_heal_replies[0]#:}
    return 0
  fi
  ((_heal_redis_unanswered)) || return 2
  # The reply was lost; the key says whether the lock is ours.
  script=$_heal_redis_why
  if ! _heal_redis GET "heal:lock:$_heal_tagged" ';;' GET "heal:fence:$_heal_tagged" || [[ ${_heal_replies[0]} == _ ]]; then
    _heal_redis_why=$script
    return 2
  fi
  [[ ${_heal_replies[0]} == "\$$2" && ${_heal_replies[1]} == \$* ]] || return 1
  _heal_fence=${_heal_replies[1]#?}
}

_heal_owner() {
  local uuid=''
  { read -r uuid </proc/sys/kernel/random/uuid; } 2>/dev/null
  _heal_text="$_heal_host/${NAME-}/$1/${uuid:-$RANDOM$RANDOM$RANDOM}"
}

# Take a slot of the group $1 for the owner $2 and $3 milliseconds: 0 with _heal_slot_fence, 1 all are taken,
# 2 unknown. A reply that was lost is asked for again: the script knows its owner.
_heal_slot_take() {
  local script attempt
  _heal_lua slots || return 2
  script=$_heal_text
  _heal_tag "$1"
  for attempt in 1 2; do
    if _heal_redis EVAL "$script" 2 "heal:slots:$_heal_tagged" "heal:slotfence:$_heal_tagged" take "$2" "$3" "$_heal_slots_max"; then
      [[ ${_heal_replies[0]} == :* ]] || return 1
      _heal_slot_fence=${_heal_replies[0]#:}
      return 0
    fi
    ((_heal_redis_unanswered)) || break
  done
  return 2
}

# Take what the policy asks for; denies by fleet if it cannot be had.
_heal_lease_take() {
  _heal_lease_key='' _heal_lease_group='' _heal_lease_every=0 _heal_slot_fence=''
  [[ -z $HEAL_FLEET_LOCK$HEAL_FLEET_SLOTS || -z $HEAL_REDIS_URL ]] || _heal_lease_ask
}
_heal_lease_ask() {
  local key=${HEAL_FLEET_LOCK-} group=${HEAL_FLEET_SLOTS-} ttl=$_heal_lock_ttl rc=0 what
  _heal_owner "$BASHPID"
  _heal_lease_owner=$_heal_text
  _heal_ticks
  _heal_lease_ends=$((_heal_num + ttl * 1000)) _heal_lease_at=$((_heal_num + ttl * 1000 / 3))
  if [[ -n $key ]]; then
    what="fleet lock $key"
    _heal_lock_take "$key" "$_heal_lease_owner" "$((ttl * 1000))" || rc=$?
    ((rc)) || _heal_lease_key=$key
  fi
  if [[ -n $group && $rc -eq 0 ]]; then
    what="slot of $group"
    _heal_slot_take "$group" "$_heal_lease_owner" "$((ttl * 1000))" || rc=$?
    ((rc)) || _heal_lease_group=$group
  fi
  if ((rc == 0)); then
    _heal_lease_every=$((ttl * 100 < 1000 ? ttl * 100 : 1000))
    return 0
  fi
  local unknown=$_heal_redis_why
  _heal_lease_drop
  if ((rc == 1)); then
    _heal_fleet_look look
    _heal_f_halted=''
    _heal_v_allow=1
    _heal_judge_fleet
    ((_heal_v_allow)) || return 1
    unknown="$what was taken a moment ago"
  fi
  _heal_f_unknown=$unknown
  _heal_v_allow=1
  _heal_judge_fleet
  ((_heal_v_allow))
}

# Renew what is leased if it is time; 1 with _heal_lost if it is not ours any more. Lost once is lost.
_heal_lease_renew() {
  local ttl=$_heal_lock_ttl now commands=() what=() i
  _heal_ticks
  now=$_heal_num
  ((now >= _heal_lease_at)) || return 0
  if [[ -n $_heal_lease_key ]] && _heal_lua renew; then
    _heal_tag "$_heal_lease_key"
    commands+=(EVAL "$_heal_text" 2 "heal:lock:$_heal_tagged" "$_heal_index" "$_heal_lease_owner" "$((ttl * 1000))")
    what+=("fleet lock $_heal_lease_key")
  fi
  if [[ -n $_heal_lease_group ]] && _heal_lua slot_renew; then
    ((${#commands[@]} == 0)) || commands+=(';;')
    _heal_tag "$_heal_lease_group"
    commands+=(EVAL "$_heal_text" 1 "heal:slots:$_heal_tagged" "$_heal_lease_owner" "$((ttl * 1000))")
    what+=("slot of $_heal_lease_group")
  fi
  if _heal_redis "${commands[@]}"; then
    for i in "${!what[@]}"; do
      [[ ${_heal_replies[i]-} == :1 ]] && continue
      _heal_lost="${what[i]} was lost"
      return 1
    done
    _heal_lease_ends=$((now + ttl * 1000)) _heal_lease_at=$((now + ttl * 1000 / 3))
    return 0
  fi
  _heal_ticks
  _heal_lease_at=$((_heal_num + _heal_lease_every))
  ((_heal_num >= _heal_lease_ends)) || return 0
  _heal_lost="${what[0]} was lost: $_heal_redis_why"
  return 1
}

_heal_lease_drop() {
  if [[ -n $_heal_lease_group ]]; then
    _heal_slot_give "$_heal_lease_group" "$_heal_lease_owner" ||
      heal_log "slot of $_heal_lease_group was left to run out: $_heal_redis_why"
  fi
  if [[ -n $_heal_lease_key ]]; then
    _heal_lock_give "$_heal_lease_key" "$_heal_lease_owner" ||
      heal_log "fleet lock $_heal_lease_key was left to run out: $_heal_redis_why"
  fi
  _heal_lease_key='' _heal_lease_group='' _heal_lease_every=0 _heal_fence='' _heal_slot_fence=''
}

# Give the lock $1 back, if its owner is $2 still: 0 given or not ours, 1 unknown.
_heal_lock_give() {
  _heal_tag "$1"
  _heal_lua release && _heal_redis EVAL "$_heal_text" 2 "heal:lock:$_heal_tagged" "$_heal_index" "$2"
}

_heal_slot_give() {
  _heal_tag "$1"
  _heal_lua slot_release && _heal_redis EVAL "$_heal_text" 1 "heal:slots:$_heal_tagged" "$2"
}

# heal_fleet_lock_acquire KEY TTL: prints the token of the lock, for TTL seconds; 1 if it is held or unknown.
heal_fleet_lock_acquire() { _heal_call _heal_fleet_lock_acquire "$@"; }
_heal_fleet_lock_acquire() {
  _heal_names_usable || {
    heal_log "$_heal_problem"
    return 1
  }
  local key=${1-} ttl=${2-60} rc=0
  if [[ -z ${HEAL_REDIS_URL-} || -z $key ]] || ! _heal_is_positive "$ttl" || ! _heal_policy; then
    heal_log 'heal_fleet_lock_acquire takes KEY and TTL in seconds, and needs NAME and HEAL_REDIS_URL'
    return 1
  fi
  _heal_nap_open
  # Called in a command substitution: the lock is the healer's, not the subshell's.
  _heal_owner "$$"
  _heal_lease_owner=$_heal_text
  _heal_lock_take "$key" "$_heal_lease_owner" "$((ttl * 1000))" || rc=$?
  ((rc != 2)) || heal_log "Redis unknown: $_heal_redis_why"
  ((rc == 0)) || return 1
  printf '%s\n' "$_heal_lease_owner"
}

# heal_fleet_lock_release KEY TOKEN: 0 if the token held the lock until now.
heal_fleet_lock_release() { _heal_call _heal_fleet_lock_release "$@"; }
_heal_fleet_lock_release() {
  [[ -n ${HEAL_REDIS_URL-} ]] || return 1
  _heal_nap_open
  if ! _heal_lock_give "${1-}" "${2-}"; then
    heal_log "Redis unknown: $_heal_redis_why"
    return 1
  fi
  [[ ${_heal_replies[0]} == :1 ]]
}
