# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The audit log: one JSON object a line, whole lines only, one write for each.

_heal_line_text='' _heal_fact='' _heal_trigger=guard _heal_said=''

# The line of an event in _heal_line_text: outcome, reason, then the optional guard, duration in
# milliseconds, count, intent, scope, key.
_heal_event() {
  local outcome=$1 reason=$2 guard=${3-} duration=${4:-0} count=${5:-1} fact=$_heal_fact here=$_heal_host name=${NAME-}
  local intent=${6-$_heal_intent} scope=${7-$_heal_scope} key=${8-} trigger=$_heal_trigger dry=false stamp zone text plain=0
  ((_heal_dry)) && dry=true
  _heal_clock
  printf -v stamp '%(%Y-%m-%dT%H:%M:%S%z)T' "$_heal_now"
  zone=${stamp:19}
  printf -v stamp '%s.%03d%s:%s' "${stamp:0:19}" "$_heal_ms" "${zone:0:3}" "${zone:3:2}"
  # Mostly all of it is short, and says the same in JSON.
  text=$here$name$intent$outcome$reason$fact$scope$trigger
  [[ ${#text} -gt 8192 || $text == *[!\ -~]* || $text == *[\"\\]* ]] || plain=1
  ((plain)) || _heal_quote_event
  local head="{\"v\":1,\"ts\":\"$stamp\",\"host\":\"$here\",\"healer\":\"$name\""
  local tail=",\"scope\":\"$scope\",\"key\":\"$key\",\"guard\":\"$guard\",\"pid\":$BASHPID"
  tail+=",\"duration_ms\":$duration,\"dry_run\":$dry,\"trigger\":\"$trigger\""
  ((count == 1)) || tail+=",\"count\":$count,\"until\":${9:-0}"
  tail+=$'}\n'
  ((plain)) || _heal_fit
  _heal_line_text="$head,\"intent\":\"$intent\",\"outcome\":\"$outcome\",\"reason\":\"$reason\",\"fact\":\"$fact\"$tail"
}

# What the caller's event says, as JSON can carry it: the shorter texts quoted, of the others what is no text shown.
_heal_quote_event() {
  local each
  for each in here name outcome scope trigger; do
    _heal_encodable "${!each}"
    _heal_json "$_heal_text"
    printf -v "$each" '%s' "$_heal_text"
  done
  for each in intent reason fact; do
    _heal_encodable "${!each}"
    printf -v "$each" '%s' "$_heal_text"
  done
}

# Quote fact, reason and intent of the caller's event, cut in this order until the line has at most 65,536
# bytes, with the 84 that its link will take.
_heal_fit() {
  local texts=("$fact" "$reason" "$intent") inside=() i size room
  for i in 0 1 2; do
    _heal_json "${texts[i]}"
    inside[i]=$_heal_text
  done
  size=$((${#head} + ${#outcome} + ${#tail} + 131 + ${#inside[0]} + ${#inside[1]} + ${#inside[2]}))
  for i in 0 1 2; do
    ((size > 65536)) || break
    room=$((65536 - (size - ${#inside[i]})))
    _heal_cut "${texts[i]}" "$room"
    ((${#_heal_text} < ${#texts[i]})) || continue
    _heal_json "$_heal_text"
    ((size += ${#_heal_text} - ${#inside[i]})) || :
    inside[i]=$_heal_text
  done
  fact=${inside[0]} reason=${inside[1]} intent=${inside[2]}
}

# The longest beginning of $1 that fits $2 bytes of JSON with the note of the cut.
_heal_cut() {
  local text=$1 room=$2 low=0 high=${#1} middle head
  while ((low < high)); do
    middle=$(((low + high + 1) / 2))
    _heal_shortened "$text" "$middle"
    head=$_heal_text
    _heal_json "$head"
    if ((${#_heal_text} <= room)); then low=$middle; else high=$((middle - 1)); fi
  done
  _heal_shortened "$text" "$low"
}

# The first $2 bytes of $1, no character cut in two, with how many were cut.
_heal_shortened() {
  local kept=$2
  while ((kept > 0)) && [[ ${1:kept:1} == [$'\x80'-$'\xbf'] ]]; do ((kept -= 1)) || :; done
  _heal_text="${1:0:kept}…[cut $((${#1} - kept)) bytes]"
}

# Append _heal_line_text, linked to the event before. 1 with _heal_problem if it is not in the log.
_heal_append() {
  local rc=0 traps
  # A limit on the size of files is an error, not a death; in a loop of ours and in an act it is one already.
  if [[ -z $_heal_single_fd && $_heal_held -eq 0 ]]; then
    _heal_trap_of XFSZ && traps=$_heal_text && trap '' XFSZ
  fi
  # What fails in it is told by _heal_problem.
  _heal_append_line 2>/dev/null || rc=1
  [[ -z ${traps+x} ]] || trap - XFSZ
  [[ -z ${traps-} ]] || eval "$traps"
  return "$rc"
}
_heal_append_line() {
  local rc=0 line
  _heal_problem=''
  if ! _heal_open_log; then
    _heal_problem="$_heal_audit $_heal_why"
    return 1
  fi
  _heal_look_back || rc=1
  if ((rc == 0 && _heal_torn)); then
    printf '\n' >&"$_heal_log_fd" || rc=1
  fi
  if ((rc == 0)); then
    line="${_heal_line_text%\}$'\n'},\"prev\":\"$_heal_prev\""
    _heal_hash_locked "$line" || rc=1
    line+=",\"hash\":\"$_heal_text\"}"
  fi
  if ((rc == 0)); then
    if ((${#line} < 1024)); then
      printf '%s\n' "$line" >&"$_heal_log_fd" || rc=1
    else
      # Bash writes in pieces of its buffer; cat writes what it has read whole.
      cat >&"$_heal_log_fd" <<<"$line" || rc=1
    fi
  fi
  _heal_close_log
  ((rc == 0)) || _heal_problem="$_heal_audit cannot be written"
  return "$rc"
}

# Denials that repeat: one event when a run begins, one with its count when it ends. Of a run its count
# and guardrail are kept, and of its last denial what the event will say: by its scope, but in variables of
# their own (_heal_run_*) for the scope that was denied last, as that is mostly denied next.
_heal_run_scope='' _heal_run_guard='' _heal_run_count=0 _heal_run_number=0 _heal_run_until=0
_heal_run_dry=0 _heal_run_trigger='' _heal_run_reason='' _heal_run_intent='' _heal_run_tells=''
declare -gA _heal_runs=() _heal_run_said=() _heal_run_fact=()
_heal_denied() {
  if [[ $_heal_v_guard == "$_heal_run_guard" && ${_heal_scope:- } == "$_heal_run_scope" ]]; then
    ((_heal_run_number += 1, _heal_run_count += 1))
    _heal_run_until=${_heal_now:-0} _heal_run_dry=$_heal_dry _heal_run_trigger=$_heal_trigger
    _heal_run_reason=$_heal_v_reason _heal_run_intent=$_heal_intent _heal_run_tells=$_heal_fact
  else
    _heal_denied_elsewhere "${_heal_scope:- }"
  fi
}

# A denial of the scope $1, which was not the last that was denied, or by another guardrail.
_heal_denied_elsewhere() {
  _heal_keep_run
  if [[ ${_heal_runs["$1"]-} == *" $_heal_v_guard" ]]; then
    _heal_run_scope=$1 _heal_run_guard=$_heal_v_guard _heal_run_count=${_heal_runs["$1"]%% *}
    _heal_denied
  else
    _heal_denied_first "$1"
  fi
}

# Put the run of the scope that was denied last where those of the others are.
_heal_keep_run() {
  [[ -n $_heal_run_scope ]] || return 0
  _heal_runs["$_heal_run_scope"]="$_heal_run_count $_heal_run_guard"
  ((_heal_run_count == 1)) || {
    _heal_run_said["$_heal_run_scope"]="$_heal_run_number $_heal_run_dry $_heal_run_until $_heal_run_trigger $_heal_run_reason"$'\n'$_heal_run_intent
    _heal_run_fact["$_heal_run_scope"]=$_heal_run_tells
  }
  _heal_run_scope='' _heal_run_guard=''
}

# Tell the log of a denial that is the first of its kind, of the scope $1 (' ': an intent that is none).
_heal_denied_first() {
  _heal_names_usable || {
    heal_log "$_heal_problem"
    return 0
  }
  _heal_denial_over "$1"
  # An earlier process may have said already that this run began.
  if [[ $_heal_said != "$_heal_v_guard ${_heal_intent%% *}" ]]; then
    _heal_event denied "$_heal_v_reason" "$_heal_v_guard"
    if ! _heal_append; then
      # Nobody was told, so the next denial is the first that is.
      heal_log "$_heal_problem"
      return 0
    fi
  fi
  ((${#_heal_runs[@]} < 256)) || _heal_denials_over
  _heal_runs["$1"]="1 $_heal_v_guard"
  _heal_run_scope=$1 _heal_run_guard=$_heal_v_guard _heal_run_count=1
}

# End the run of the scope $1; one that was a single denial has been said already.
_heal_denial_over() {
  _heal_keep_run
  local run=${_heal_runs["$1"]-} said dry=$_heal_dry trigger=$_heal_trigger fact=$_heal_fact
  [[ -n $run ]] || return 0
  _heal_runs["$1"]=''
  ((${run%% *} > 1)) || return 0
  said=${_heal_run_said["$1"]#* }
  _heal_fact=${_heal_run_fact["$1"]} _heal_dry=${said%% *}
  said=${said#* }
  _heal_run_until=${said%% *}
  said=${said#* }
  _heal_trigger=${said%% *}
  said=${said#* }
  # The reason is ours and one line; the intent may be anything.
  _heal_event denied "${said%%$'\n'*}" "${run#* }" 0 "${run%% *}" "${said#*$'\n'}" "${1% }" '' "$_heal_run_until"
  _heal_dry=$dry _heal_trigger=$trigger _heal_fact=$fact
  _heal_append || heal_log "$_heal_problem"
}

# End all runs, in the order in which each was denied last. Of a single denial nothing is left to say.
_heal_denials_over() {
  local scope said order=()
  _heal_keep_run
  for scope in "${!_heal_run_said[@]}"; do
    said=${_heal_run_said["$scope"]}
    order[${said%% *}]=$scope
  done
  for scope in "${order[@]}"; do _heal_denial_over "$scope"; done
  _heal_runs=() _heal_run_said=() _heal_run_fact=()
}
