# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# What Prometheus is told through the node exporter's textfile collector: the same bytes as from Python,
# because the exporter drops a series whose HELP or TYPE differs between two files.

declare -gA _heal_acted=() _heal_refused=()
_heal_outcomes=(success dry-run verify-failed action-failed timed-out interrupted)
_heal_deniers=(intent hold idempotency rate circuit fleet record)
_heal_states=(closed half-open open forced-open corrupt)

# The counts that were written last; zeros where there is nothing that can be read. A counter that begins
# again is no error: Prometheus takes it for a restart.
_heal_read_tally() {
  local word
  _heal_acted=() _heal_refused=()
  # shellcheck disable=SC2153 # the healer's name
  [[ -n ${HEAL_TEXTFILE_DIR-} ]] && _heal_slurp "$HEAL_TEXTFILE_DIR/heal_$NAME.prom" 65536 || return 0
  for word in "${_heal_outcomes[@]}"; do
    _heal_count_of "heal_actions_total{healer=\"$NAME\",outcome=\"$word\"} " && _heal_acted[$word]=$_heal_num
  done
  for word in "${_heal_deniers[@]}"; do
    _heal_count_of "heal_denials_total{healer=\"$NAME\",guard=\"$word\"} " && _heal_refused[$word]=$_heal_num
  done
  return 0
}

_heal_count_of() {
  local rest=${_heal_raw#*$'\n'"$1"}
  [[ $rest != "$_heal_raw" ]] || return 1
  rest=${rest%%$'\n'*}
  _heal_is_digits "$rest" 15 && _heal_num=$rest
}

# Count how the cycle ended that had the intent $1.
_heal_count() {
  [[ -n $1 && -n $_heal_outcome ]] || return 0
  if [[ $_heal_outcome == denied ]]; then
    ((_heal_refused[$_heal_v_guard] += 1)) || :
  else
    ((_heal_acted[$_heal_outcome] += 1)) || :
  fi
}

# How the scope of the file $1 is told, in _heal_text: its first word, for a scope may be a whole intent. One
# that a label cannot carry is told by the beginning of the file's name.
_heal_label() {
  local word hashed=0
  [[ $1 != *%~* ]] || hashed=1
  if _heal_unpercent "${1%%%~*}"; then
    word=${_heal_text%% *}
    if [[ -n $word && ${#word} -le 128 && $word != *[$'\x01'-$'\x1f\x7f']* ]] && _heal_is_utf8 "$word" &&
      { ((! hashed)) || [[ $_heal_text == *' '* ]]; }; then
      _heal_text=$word
      return 0
    fi
  fi
  _heal_text=${1:0:128}
}

# The scopes of this healer: those with a breaker, then those with a bucket only, each by its file's name.
declare -ga _heal_scopes=()
_heal_list_scopes() {
  local path name folder
  local -A seen=()
  _heal_scopes=()
  set +f
  for folder in cb rate; do
    _heal_dir_ok "$folder" || continue
    for path in "$_heal_dir/$folder"/*; do
      name=${path##*/}
      _heal_is_scope_file "$name" && [[ -z ${seen[$name]-} && ${#_heal_scopes[@]} -lt 256 ]] || continue
      seen[$name]=1
      _heal_scopes+=("$name")
    done
  done
  set -f
}

# State and millionths of tokens of the scope whose file is $1, in _heal_text and _heal_num.
_heal_standing() {
  local rc=2 state=corrupt
  if _heal_dir_ok cb; then
    _heal_read_breaker "$1" && rc=0 || rc=$?
  fi
  if ((rc != 2)); then
    _heal_breaker_now "$rc" 1
    state=$_heal_n_state
  fi
  rc=2
  if _heal_dir_ok rate; then
    _heal_read_bucket "rate/$1" && rc=0 || rc=$?
  fi
  # A corrupt bucket denies, as an empty one does.
  case $rc in
    0) _heal_tokens_at "$_heal_r_last" "$_heal_r_tokens" ;;
    1) _heal_num=$((_heal_burst * 1000000)) ;;
    *) _heal_num=0 ;;
  esac
  _heal_text=$state
}

# The text of the file in _heal_text: at time $1, now $2 whether it is dry.
_heal_metrics() {
  local at=$1 dry=$2 me="healer=\"$NAME\"" text word file label state i q='"' bs=$'\\'
  local labels=()
  local -A states=() tokens=() rank=()
  for i in "${!_heal_states[@]}"; do rank[${_heal_states[i]}]=$i; done
  _heal_list_scopes
  for file in "${_heal_scopes[@]}"; do
    _heal_label "$file"
    label=$_heal_text
    _heal_standing "$file"
    state=$_heal_text
    if [[ -z ${states[$label]-} ]]; then
      ((${#labels[@]} < 32)) || continue
      labels+=("$label")
      states[$label]=$state tokens[$label]=$_heal_num
      continue
    fi
    # Scopes that share a label are told as the worst of them.
    i=${states[$label]}
    ((rank[$state] <= rank[$i])) || states[$label]=$state
    i=${tokens[$label]}
    ((_heal_num >= i)) || tokens[$label]=$_heal_num
  done
  text="# HELP heal_last_cycle_timestamp_seconds When the healer last finished a cycle.
# TYPE heal_last_cycle_timestamp_seconds gauge
heal_last_cycle_timestamp_seconds{$me} $at
# HELP heal_cycles_total Cycles that the healer has finished.
# TYPE heal_cycles_total counter
heal_cycles_total{$me} $_heal_seq
# HELP heal_actions_total Acts by their outcome; dry-run is one that was rehearsed.
# TYPE heal_actions_total counter
"
  for word in "${_heal_outcomes[@]}"; do
    text+="heal_actions_total{$me,outcome=\"$word\"} ${_heal_acted[$word]:-0}"$'\n'
  done
  text+='# HELP heal_denials_total Cycles that ended with a denial, by the guardrail.
# TYPE heal_denials_total counter
'
  for word in "${_heal_deniers[@]}"; do
    text+="heal_denials_total{$me,guard=\"$word\"} ${_heal_refused[$word]:-0}"$'\n'
  done
  if ((${#labels[@]})); then
    local breakers buckets
    breakers='# HELP heal_breaker_state Whether the breaker of the scope is in this state.
# TYPE heal_breaker_state gauge
'
    buckets='# HELP heal_tokens Acts that the token bucket of the scope allows now.
# TYPE heal_tokens gauge
'
    for label in "${labels[@]}"; do
      state=${states[$label]}
      _heal_decimal "${tokens[$label]}"
      file=${label//"$bs"/"$bs$bs"}
      file=${file//"$q"/"$bs$q"}
      for word in "${_heal_states[@]}"; do
        i=0
        [[ $word != "$state" ]] || i=1
        breakers+="heal_breaker_state{$me,scope=\"$file\",state=\"$word\"} $i"$'\n'
      done
      buckets+="heal_tokens{$me,scope=\"$file\"} $_heal_text"$'\n'
    done
    text+=$breakers$buckets
  fi
  _heal_text="$text# HELP heal_dry_run Whether acts are rehearsed and not done.
# TYPE heal_dry_run gauge
heal_dry_run{$me} $dry
"
}

# Put the metrics in place, readable by everybody. The collector reads every *.prom at any time, so the draft
# has another name.
_heal_write_metrics() {
  [[ -n ${HEAL_TEXTFILE_DIR-} ]] || return 0
  local file=$HEAL_TEXTFILE_DIR/heal_$NAME.prom draft=$HEAL_TEXTFILE_DIR/.heal_$NAME.$BASHPID ms mask=''
  printf -v ms '%03d' "$_heal_ms"
  _heal_take_mode
  _heal_metrics "$_heal_now.$ms" "$_heal_dry"
  _heal_pipe && umask >&"$_heal_pw" && exec {_heal_pw}>&- && IFS= read -r -u "$_heal_pr" mask
  exec {_heal_pr}<&-
  [[ -z $mask ]] || umask 0022
  # Not fsynced: after a power cut an old heartbeat is as true as a new one.
  if ! _heal_write "$draft" "$_heal_text" || ! mv -f -- "$draft" "$file" 2>/dev/null; then
    heal_log "the metrics cannot be written: $file"
    rm -f -- "$draft" 2>/dev/null
  fi
  [[ -z $mask ]] || umask "$mask"
}
