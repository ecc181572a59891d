# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The guardrails of the fleet: stops, storm brake, bucket, and what is known of lock and slots.

_heal_f_unknown='' _heal_f_halted='' _heal_f_halt_of=fleet _heal_f_halt_until=0 _heal_f_holder='' _heal_f_ttl=''
_heal_f_storm='' _heal_f_tokens='' _heal_f_slots='' _heal_f_slots_ttl=0 _heal_f_asked=''

# What Redis says of all that the policy asks for: _heal_f_*. $1: "act" by whoever is about to act, who counts
# for the storm brake; "leased" with lock and slot in hand, which are not asked for; "look" changes nothing.
_heal_fleet_look() {
  _heal_f_unknown='' _heal_f_halted='' _heal_f_halt_of=fleet _heal_f_halt_until=0 _heal_f_holder='' _heal_f_ttl=''
  _heal_f_storm='' _heal_f_tokens='' _heal_f_slots='' _heal_f_slots_ttl=0 _heal_f_asked=${HEAL_REDIS_URL:+1}
  [[ -z $_heal_f_asked ]] || _heal_fleet_ask "$1"
}
_heal_fleet_ask() {
  local how=$1 commands=() names=() i reply
  if ! _heal_fleet_questions "$how" || ! _heal_redis "${commands[@]}"; then
    _heal_f_unknown=$_heal_redis_why
    return 0
  fi
  local halt='' halts='' storm='' live='' wanting='' tokens='' holder='' left='' slots=''
  for i in "${!names[@]}"; do
    reply=${_heal_replies[i]-}
    [[ $reply != _ ]] || continue
    case ${names[i]}$reply in
      halt\$* | halts\$* | storm\$* | holder\$* | slots\$*) ;;
      live:* | wanting:* | tokens:*) _heal_is_digits "${reply#:}" 15 || reply='' ;;
      left:*) ;;
      *) reply='' ;;
    esac
    if [[ -z $reply ]]; then
      _heal_f_unknown="the answer on ${names[i]} does not match its format"
      return 0
    fi
    printf -v "${names[i]}" '%s' "${reply#?}"
  done
  # No halt holds an operator's own act.
  [[ $_heal_trigger == operator ]] || _heal_stopped_by "$halt" "$halts"
  _heal_f_tokens=$tokens
  if [[ -n $slots ]]; then
    _heal_f_slots=${slots% *} _heal_f_slots_ttl=${slots#* }
    if ! { _heal_is_digits "$_heal_f_slots" 9 && _heal_is_digits "$_heal_f_slots_ttl" 15; }; then
      _heal_f_unknown='the answer on the slots does not match its format'
      return 0
    fi
  fi
  if [[ -n $holder && $left != -2 ]]; then
    _heal_f_holder=$holder
    ! _heal_is_digits "$left" 15 || _heal_f_ttl=$left
  fi
  if [[ -n $storm ]]; then
    _heal_storm_of "$storm"
  elif [[ -n $wanting ]]; then
    _heal_storm_brake "$wanting" "$live"
  fi
  return 0
}

# The questions of a look at "$1", in commands and names of the caller.
_heal_fleet_questions() {
  local how=$1 key=${HEAL_FLEET_LOCK-} group=${HEAL_FLEET_SLOTS-} live=$((_heal_storm_window > 900 ? _heal_storm_window : 900))
  _heal_lua halts || return 1
  commands=(GET heal:halt ';;' EVAL "$_heal_text" 1 heal:halts ';;' HGET heal:storms "$_heal_scope")
  names=(halt halts storm)
  if [[ $how == act && -n $_heal_storm_limit ]]; then
    _heal_lua recent || return 1
    commands+=(';;' EVAL "$_heal_text" 1 heal:alive "$_heal_host" "$((live * 1000))")
    commands+=(';;' EVAL "$_heal_text" 1 "heal:want:$_heal_scope" "$_heal_host" "$((_heal_storm_window * 1000))")
    names+=(live wanting)
  fi
  if [[ -n $_heal_fleet_rate ]]; then
    _heal_lua tokens || return 1
    commands+=(';;' EVAL "$_heal_text" 1 "heal:tokens:$_heal_scope" "$_heal_fleet_rate" "$_heal_fleet_burst" 0)
    names+=(tokens)
  fi
  [[ $how != leased ]] || return 0
  if [[ -n $key ]]; then
    _heal_tag "$key"
    commands+=(';;' GET "heal:lock:$_heal_tagged" ';;' PTTL "heal:lock:$_heal_tagged")
    names+=(holder left)
  fi
  if [[ -n $group ]]; then
    _heal_lua slots || return 1
    _heal_tag "$group"
    commands+=(';;' EVAL "$_heal_text" 1 "heal:slots:$_heal_tagged" look)
    names+=(slots)
  fi
}

# The first stop that is for this healer here: $1 that of the fleet, $2 lines "target record". In _heal_f_halted.
_heal_stopped_by() {
  local line target
  [[ -z $1 ]] || _heal_halt_of '' "$1"
  [[ -n $2 && -z $_heal_f_halted ]] || return 0
  while IFS= read -r line; do
    target=${line%% *}
    _heal_halt_of "${target:-(nobody)}" "${line#* }"
    [[ -z $_heal_f_halted ]] || return 0
  done <<<"$2"
}

# Whether the record $2 for the target $1 stops this healer on this host now: _heal_f_halted and its like.
_heal_halt_of() {
  local target=$1 since until operator reason=$2 path=heal:halt what=fleet sound=1
  [[ -z $target ]] || path="heal:halts $target"
  since=${reason%% *} reason=${reason#* }
  until=${reason%% *} reason=${reason#* }
  operator=${reason%% *} reason=${reason#* }
  [[ $2 == *' '*' '*' '?* && ${#reason} -le 4096 ]] && _heal_is_epoch "$since" && _heal_is_epoch "$until" || sound=0
  [[ -n $operator && ${#operator} -le 64 && $operator != *[^A-Za-z0-9._@-]* ]] || sound=0
  case $target in
    '') ;;
    healer:[A-Za-z0-9]*)
      what=${target#*:}
      [[ ${#what} -le 64 && $what != *[^A-Za-z0-9._-]* ]] || sound=0
      ((! sound)) || [[ $what == "${NAME-}" ]] || return 0
      what="healer $what"
      ;;
    host:?*)
      what=${target#*:}
      [[ ${#what} -le 255 && $what != *[^A-Za-z0-9._*?-]* ]] || sound=0
      # shellcheck disable=SC2053 # a pattern it is, of letters, * and ?
      ((! sound)) || [[ $_heal_host == $what ]] || return 0
      what="hosts $what"
      ;;
    *) sound=0 ;;
  esac
  if ((! sound)); then
    _heal_f_halted="$path is corrupt: does not match its format" _heal_f_halt_of=fleet _heal_f_halt_until=0
  elif ((until == 0 || until > _heal_now)); then
    _heal_f_halted="$reason ($operator)" _heal_f_halt_of=$what _heal_f_halt_until=$until
  fi
}

# The storm that the record $1 tells of, in the words of a denial.
_heal_storm_of() {
  local since hosts window rest
  read -r since hosts window rest <<<"$1"
  _heal_f_storm="heal:storms $_heal_scope is corrupt: does not match its format"
  [[ $1 == "$since $hosts $window" ]] && _heal_is_epoch "$since" && _heal_is_positive "$hosts" &&
    _heal_is_seconds "$window" || return 0
  _heal_f_storm="storm: $hosts hosts wanted $_heal_scope within $window s, stopped until an operator releases it"
}

# Make a storm if $1 hosts want to act, of $2 that live, and that is more than may.
_heal_storm_brake() {
  local wanting=$1 live=$2 limit=$_heal_storm_limit
  ((wanting >= 2)) || return 0
  ((live >= wanting)) || live=$wanting
  if [[ $limit == *% ]]; then
    ((wanting * 100 > ${limit%\%} * live)) || return 0
  else
    ((wanting > limit)) || return 0
  fi
  if ! _heal_redis HSETNX heal:storms "$_heal_scope" "$_heal_now $wanting $_heal_storm_window"; then
    _heal_f_unknown=$_heal_redis_why
    return 0
  fi
  _heal_storm_of "$_heal_now $wanting $_heal_storm_window"
}

# In a cycle that has nothing to do: be one of the live hosts, where the storm brake counts them.
_heal_fleet_check_in() {
  [[ -n ${HEAL_REDIS_URL-} && -n $_heal_storm_limit ]] || return 0
  local live=$((_heal_storm_window > 900 ? _heal_storm_window : 900))
  if ! { _heal_lua recent && _heal_redis EVAL "$_heal_text" 1 heal:alive "$_heal_host" "$((live * 1000))"; }; then
    heal_log "this host is not counted in the fleet: $_heal_redis_why"
  fi
}

# Take $1 micro-tokens of the fleet bucket; 1 if they are not there, with what is known in _heal_f_*.
_heal_fleet_take() {
  [[ -n $_heal_fleet_rate && -n ${HEAL_REDIS_URL-} ]] || return 0
  if ! { _heal_lua tokens &&
    _heal_redis EVAL "$_heal_text" 1 "heal:tokens:$_heal_scope" "$_heal_fleet_rate" "$_heal_fleet_burst" "$1"; }; then
    _heal_f_unknown=$_heal_redis_why
    return 1
  fi
  _heal_f_tokens=${_heal_replies[0]#:}
  if [[ ${_heal_replies[0]} != :* ]] || ! _heal_is_digits "$_heal_f_tokens" 15; then
    _heal_f_unknown='the answer on tokens does not match its format'
    return 1
  fi
  ((_heal_f_tokens >= $1))
}

# Spend the fleet token of an act that nothing else denies; 1 if that denies. _heal_fleet_spent 1: one was taken.
_heal_fleet_spent=0
_heal_fleet_spend() {
  _heal_fleet_spent=0
  if _heal_fleet_take 1000000; then
    [[ -z $_heal_fleet_rate ]] || _heal_fleet_spent=1
    return 0
  fi
  _heal_judge_fleet
  ((_heal_v_allow)) || _heal_v_probe=0
  ((_heal_v_allow))
}

# Give back the token of an act that did not start.
_heal_fleet_unspend() {
  ((_heal_fleet_spent)) || return 0
  _heal_fleet_spent=0
  _heal_fleet_take -1000000 || heal_log "a token of the fleet bucket stays spent: $_heal_redis_why"
}

# Whether the policy or the environment has anything to do with the fleet.
_heal_fleet_wanted() {
  [[ -n $HEAL_REDIS_URL$HEAL_FLEET_LOCK$HEAL_FLEET_SLOTS$HEAL_FLEET_RATE$HEAL_FLEET_STORM ]]
}

_heal_judge_fleet() { ! _heal_fleet_wanted || _heal_judge_known_fleet; }
_heal_judge_known_fleet() {
  local key=${HEAL_FLEET_LOCK-} group=${HEAL_FLEET_SLOTS-} unknown=$_heal_f_unknown left said
  if [[ -z ${HEAL_REDIS_URL-} ]]; then
    if [[ -n $key ]]; then
      unknown="no Redis configured for lock $key"
    elif [[ -n $group ]]; then
      unknown="no Redis configured for slots $group"
    elif [[ -n $_heal_fleet_rate ]]; then
      unknown='no Redis configured for the fleet bucket'
    elif [[ -n $_heal_storm_limit ]]; then
      unknown='no Redis configured for the storm brake'
    fi
  fi
  if [[ -n $unknown ]]; then
    ((_heal_local_only)) || _heal_deny fleet "Redis unknown: $unknown" ''
  elif [[ -n $_heal_f_storm ]]; then
    _heal_deny fleet "$_heal_f_storm" ''
  elif [[ -n $_heal_f_holder ]]; then
    if [[ -z $_heal_f_ttl ]]; then
      _heal_deny fleet "lock $key is held by $_heal_f_holder, with no end" ''
    else
      left=$(((_heal_f_ttl + 999) / 1000))
      ((left >= 1)) || left=1
      _heal_deny fleet "lock $key is held by $_heal_f_holder, $left s more" "$((_heal_now + left))"
    fi
  elif [[ -n $_heal_f_slots ]] && ((_heal_f_slots >= _heal_slots_max)); then
    left=$(((_heal_f_slots_ttl + 999) / 1000))
    ((left >= 1)) || left=1
    said="slots $group: $_heal_f_slots of $_heal_slots_max are taken, the first for $left s more"
    _heal_deny fleet "$said" "$((_heal_now + left))"
  elif [[ -n $_heal_f_tokens && -n $_heal_fleet_rate ]] && ((_heal_f_tokens < 1000000)); then
    _heal_short_of fleet 'fleet bucket: ' "$_heal_f_tokens" "$_heal_fleet_rate" "$_heal_fleet_burst"
  fi
}
