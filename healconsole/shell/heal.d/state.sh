# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# State files as records in variables. Each reader returns 0 read, 1 missing, 2 corrupt (_heal_why).

_heal_r_last=0 _heal_r_tokens=0
_heal_b_failures=0 _heal_b_last=0 _heal_b_state='' _heal_b_until=0 _heal_b_raw=''
_heal_m_at=0 _heal_m_outcome='' _heal_m_scope=''
_heal_o_word='' _heal_o_until=0 _heal_o_operator=''
_heal_c_pid='' _heal_c_at=0 _heal_c_key='' _heal_c_file='' _heal_c_probe=0 _heal_c_last=0 _heal_c_tokens=0
_heal_c_intent='' _heal_c_alive=0
_heal_start='' _heal_boot='' _heal_start_of=''

# Bucket: the path below the state directory.
_heal_r_memo='' _heal_r_memo_last=0 _heal_r_memo_tokens=0
_heal_read_bucket() {
  # A file says mostly what it said before: so much is asked here, for less than a call of _heal_slurp costs. (No
  # redirection keeps a message, as nobody removes a bucket.)
  _heal_raw=''
  if [[ -f $_heal_dir/$1 && ! -L $_heal_dir/$1 && -r $_heal_dir/$1 ]] &&
    ! IFS= read -r -d '' -n 4096 _heal_raw <"$_heal_dir/$1" && [[ -n $_heal_raw && $_heal_raw == "$_heal_r_memo" ]]; then
    _heal_r_last=$_heal_r_memo_last _heal_r_tokens=$_heal_r_memo_tokens
  else
    _heal_slurp "$_heal_dir/$1" && _heal_parse_bucket
  fi
}
_heal_parse_bucket() {
  local whole=$_heal_raw
  _heal_take_line || return $?
  # shellcheck disable=SC2206 # words they are
  local field=($_heal_raw)
  ((${#field[@]} == 2 || ${#field[@]} == 4)) && _heal_is_epoch "${field[0]}" && _heal_is_decimal "${field[1]}" || return 2
  if ((${#field[@]} == 4)); then
    _heal_is_decimal "${field[2]}" && _heal_is_positive "${field[3]}" || return 2
  fi
  _heal_micro "${field[1]}"
  _heal_r_last=${field[0]} _heal_r_tokens=$_heal_num
  _heal_r_memo=$whole _heal_r_memo_last=$_heal_r_last _heal_r_memo_tokens=$_heal_num
}

_heal_b_memo='' _heal_b_memo_raw='' _heal_b_memo_fields=()
_heal_read_breaker() {
  _heal_b_raw=''
  _heal_slurp "$_heal_dir/cb/$1" || return $?
  if [[ -n $_heal_raw && $_heal_raw == "$_heal_b_memo" ]]; then
    _heal_b_failures=${_heal_b_memo_fields[0]} _heal_b_last=${_heal_b_memo_fields[1]}
    _heal_b_state=${_heal_b_memo_fields[2]} _heal_b_until=${_heal_b_memo_fields[3]}
    _heal_b_raw=$_heal_b_memo_raw
  else
    _heal_parse_breaker
  fi
}
_heal_parse_breaker() {
  local whole=$_heal_raw
  _heal_take_line || return $?
  # shellcheck disable=SC2206 # words they are
  local field=($_heal_raw)
  ((${#field[@]} == 2 || ${#field[@]} == 6)) && _heal_is_count "${field[0]}" && _heal_is_epoch "${field[1]}" || return 2
  if ((${#field[@]} == 6)); then
    _heal_is_positive "${field[2]}" && _heal_is_seconds "${field[3]}" && _heal_is_epoch "${field[5]}" || return 2
    [[ ${field[4]} == @(closed|open|half-open|forced-open) ]] || return 2
  fi
  _heal_b_failures=${field[0]} _heal_b_last=${field[1]} _heal_b_state=${field[4]-} _heal_b_until=${field[5]-0}
  _heal_b_raw=$_heal_raw
  _heal_b_memo=$whole _heal_b_memo_raw=$_heal_raw
  _heal_b_memo_fields=("$_heal_b_failures" "$_heal_b_last" "$_heal_b_state" "$_heal_b_until")
}

_heal_read_override() {
  [[ -e $_heal_dir/$1 || -L $_heal_dir/$1 ]] || return 1
  _heal_line "$_heal_dir/$1" || return $?
  # shellcheck disable=SC2206 # words they are
  local field=($_heal_raw)
  [[ ${#field[@]} -eq 4 && ${field[0]} == @(on|off) ]] && _heal_is_epoch "${field[1]}" && _heal_is_epoch "${field[2]}" || return 2
  [[ ${#field[3]} -le 64 && ${field[3]} != *[^A-Za-z0-9._@-]* ]] || return 2
  _heal_o_word=${field[0]} _heal_o_until=${field[2]} _heal_o_operator=${field[3]}
}

# Take one string off the front of a JSON text: _heal_text its raw inside, _heal_rest what follows.
_heal_rest=''
_heal_json_string() {
  local rest=${1#\"} out='' head
  [[ $rest != "$1" ]] || return 1
  while :; do
    head=${rest%%[\"\\]*}
    out+=$head
    rest=${rest:${#head}}
    case $rest in
      \"*) break ;;
      \\[\"\\bfnrt]*) out+=${rest:0:2} rest=${rest:2} ;;
      \\u000[089acd]*) return 1 ;;
      \\u00[01][0-9a-f]*) out+=${rest:0:6} rest=${rest:6} ;;
      *) return 1 ;;
    esac
  done
  [[ $out != *[$'\x01'-$'\x1f']* ]] || return 1
  _heal_is_utf8 "$out" || return 1
  _heal_text=$out _heal_rest=${rest#\"}
}

# Marker: the path below the state directory. An empty file is a legacy one, outcome "legacy".
_heal_m_memo='' _heal_m_memo_at=0 _heal_m_memo_scope='' _heal_m_memo_outcome=''
_heal_read_marker() {
  _heal_raw=''
  if [[ -f $_heal_dir/$1 && ! -L $_heal_dir/$1 ]] && ! IFS= read -r -d '' -n 4096 _heal_raw 2>/dev/null <"$_heal_dir/$1" &&
    [[ -n $_heal_raw && $_heal_raw == "$_heal_m_memo" ]]; then
    _heal_m_at=$_heal_m_memo_at _heal_m_scope=$_heal_m_memo_scope _heal_m_outcome=$_heal_m_memo_outcome
  else
    _heal_slurp "$_heal_dir/$1" && _heal_parse_marker "$_heal_dir/$1"
  fi
}
_heal_parse_marker() {
  local path=$1 scope rest at pid
  _heal_m_scope=''
  if [[ -z $_heal_raw ]]; then
    _heal_m_outcome=legacy
    at=$(exec stat -c %Y -- "$path" 2>/dev/null)
    _heal_is_epoch "$at" || at=0
    _heal_m_at=$at
    return 0
  fi
  _heal_why='does not match its format'
  rest=${_heal_raw%$'\n'}
  [[ $rest == '{"intent":'* ]] && _heal_json_string "${rest#'{"intent":'}" || return 2
  rest=$_heal_rest
  [[ $rest == ',"scope":'* ]] && _heal_json_string "${rest#',"scope":'}" || return 2
  scope=$_heal_text rest=$_heal_rest
  [[ $rest == ',"at":'*',"pid":'*',"outcome":"'*'"}' ]] || return 2
  rest=${rest#',"at":'}
  at=${rest%%,*}
  rest=${rest#*',"pid":'}
  pid=${rest%%,*}
  rest=${rest#*',"outcome":'}
  _heal_is_epoch "$at" && _heal_is_digits "$pid" 18 || return 2
  _heal_json_string "$rest" && [[ $_heal_rest == '}' ]] || return 2
  _heal_m_at=$at _heal_m_scope=$scope _heal_m_outcome=$_heal_text
  _heal_m_memo=$_heal_raw _heal_m_memo_at=$at _heal_m_memo_scope=$scope _heal_m_memo_outcome=$_heal_text
}

# The line of a marker: intent, scope, at, outcome.
_heal_marker_line() {
  local intent
  _heal_json "$1"
  intent=$_heal_text
  _heal_json "$2"
  _heal_text="{\"intent\":\"$intent\",\"scope\":\"$_heal_text\",\"at\":$3,\"pid\":$4,\"outcome\":\"$5\"}"$'\n'
}

# Claim in slot $1; 1 if the slot is free.
_heal_read_claim() {
  [[ -f $_heal_dir/claims/$1 && -r $_heal_dir/claims/$1 && ! -s $_heal_dir/claims/$1 && ! -L $_heal_dir/claims/$1 ]] && return 1
  local version pid start boot at key file probe last tokens intent name
  _heal_slurp "$_heal_dir/claims/$1" || return $?
  [[ -n $_heal_raw ]] || return 1
  _heal_raw=${_heal_raw%$'\n'}
  _heal_why='does not match its format'
  [[ -n $_heal_raw && $_heal_raw != *[^' '-'~'$'\t']* && $_heal_raw == v1* && $_heal_raw != *[$' \t'] ]] || return 2
  # Not split into words: blanks in the intent are the intent's.
  intent=$_heal_raw
  for name in version pid start boot at key file probe last tokens; do
    printf -v "$name" '%s' "${intent%%[$' \t']*}"
    intent=${intent#"${!name}"}
    intent=${intent#"${intent%%[!$' \t']*}"}
  done
  [[ $version == v1 && $pid != 0 ]] && _heal_is_digits "$pid" 10 || return 2
  _heal_is_digits "$start" 19 || return 2
  [[ ${#boot} -eq 8 && $boot != *[^0-9a-f]* && ${#key} -eq 64 && $key != *[^0-9a-f]* ]] || return 2
  _heal_is_epoch "$at" && _heal_is_scope_file "$file" && [[ $probe == [01] ]] || return 2
  _heal_is_epoch "$last" && _heal_is_decimal "$tokens" && [[ $intent != *$'\t'* ]] || return 2
  _heal_unpercent "$intent" || return 2
  intent=$_heal_text
  _heal_is_intent intent "$intent" || {
    _heal_why='does not match its format'
    return 2
  }
  _heal_c_intent=$intent
  _heal_micro "$tokens"
  _heal_c_pid=$pid _heal_c_at=$at _heal_c_key=$key _heal_c_file=$file _heal_c_probe=$probe
  _heal_c_last=$last _heal_c_tokens=$_heal_num _heal_c_alive=0
  _heal_identity
  [[ $boot == "$_heal_boot" ]] && _heal_start_time "$pid" && [[ $_heal_text == "$start" ]] && _heal_c_alive=1
  return 0
}

# Start time of the process $1 in _heal_text; 1 if it is gone, also if it only waits to be reaped.
_heal_start_time() {
  local stat=''
  { IFS= read -r -d '' stat <"/proc/$1/stat"; } 2>/dev/null
  [[ $stat == *') '* ]] || return 1
  # shellcheck disable=SC2206 # words they are
  local fields=(${stat##*') '})
  ((${#fields[@]} > 19)) && [[ ${fields[19]} != *[^0-9]* ]] || return 1
  [[ ${fields[0]} != [ZX] || ${fields[17]} != [01] ]] || return 1
  _heal_text=${fields[19]}
}

# This process: _heal_start and _heal_boot.
_heal_identity() {
  [[ $_heal_start_of == "$BASHPID" ]] && return 0
  local boot=''
  { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
  _heal_boot=${boot:0:8}
  [[ ${#_heal_boot} -eq 8 && $_heal_boot != *[^0-9a-f]* ]] || _heal_boot=00000000
  _heal_start=''
  _heal_start_time "$BASHPID" && _heal_start=$_heal_text
  _heal_start_of=$BASHPID
}

# Numbers of the slots that exist, in their order, in the array _heal_slots.
declare -ga _heal_slots=()
_heal_list_slots() {
  set +f
  _heal_slots=("$_heal_dir"/claims/*)
  set -f
  _heal_sort_slots
}
# The same of the paths that are in it.
_heal_sort_slots() {
  local path number found=()
  for path in "${_heal_slots[@]}"; do
    number=${path##*/}
    [[ $number == 0 ]] || _heal_is_count "$number" || continue
    found[number]=1
  done
  _heal_slots=("${!found[@]}")
}

# Tokens now, in _heal_num, of the bucket with $1 last refill and $2 millionths.
_heal_full=0
_heal_tokens_at() {
  _heal_num=$2 _heal_full=$((_heal_burst * 1000000))
  if ((_heal_now > $1 && _heal_rate > 0 && _heal_num < _heal_full)); then
    # Compared before it is multiplied: the product may not fit 64 bits.
    if ((_heal_now - $1 >= (_heal_full - _heal_num + _heal_rate - 1) / _heal_rate)); then
      _heal_num=$_heal_full
    else
      ((_heal_num += (_heal_now - $1) * _heal_rate)) || :
    fi
  fi
  ((_heal_num < _heal_full)) || _heal_num=$_heal_full
}

# What the breaker that was read ($1: 1 if there is none) means now: _heal_n_state, _heal_n_until ('' none),
# _heal_n_odd 1 if its times cannot be ($2: whether leases are judged).
_heal_n_state='' _heal_n_until='' _heal_n_odd=0
_heal_breaker_now() {
  _heal_n_state=closed _heal_n_until='' _heal_n_odd=0
  if (($1)); then
    _heal_b_failures=0 _heal_b_last=0 _heal_b_state='' _heal_b_until=0
  elif [[ $_heal_b_state != closed && (-n $_heal_b_state || $_heal_b_failures -ge $_heal_max) ]]; then
    _heal_breaker_stopped "$2"
  fi
}
_heal_breaker_stopped() {
  _heal_n_until=$_heal_b_until
  case $_heal_b_state in
    forced-open)
      _heal_n_state=forced-open
      ((_heal_n_until == 0 || _heal_n_until > _heal_now)) || _heal_n_state=half-open
      ;;
    half-open)
      _heal_n_state=half-open
      if (($1 && _heal_n_until > _heal_now + _heal_lease)); then
        _heal_n_until=$((_heal_now + _heal_lease)) _heal_n_odd=1
      fi
      ;;
    *)
      [[ -n $_heal_b_state ]] || _heal_n_until=$((_heal_b_last + _heal_cool))
      if ((_heal_b_last > _heal_now || _heal_n_until > _heal_now + _heal_cool)); then
        _heal_n_until=$((_heal_now + _heal_cool)) _heal_n_odd=1
      fi
      _heal_n_state=open
      ((_heal_n_until > _heal_now)) || _heal_n_state=half-open
      ;;
  esac
  ((_heal_n_until > _heal_now)) || _heal_n_until=''
}

# Lines to write, in _heal_text: the breaker after a failure, after a success (1: nothing to write), with
# its probe taken, with its times mended.
_heal_breaker_line() { _heal_text="$1 $2 $_heal_max $_heal_cool $3 $4"; }

_heal_after_failure() {
  _heal_breaker_now "$1" 0
  local failures=$((_heal_b_failures < 999999 ? _heal_b_failures + 1 : 999999)) last=$_heal_b_last
  case $_heal_n_state in
    open)
      ((last > _heal_now)) && last=$_heal_now
      _heal_breaker_line "$failures" "$last" open "$_heal_n_until"
      return 0
      ;;
    forced-open)
      _heal_breaker_line "$failures" "$last" forced-open "${_heal_n_until:-0}"
      return 0
      ;;
    half-open) ((failures < _heal_max)) && failures=$_heal_max ;;
  esac
  if ((failures >= _heal_max)); then
    _heal_breaker_line "$failures" "$_heal_now" open "$((_heal_now + _heal_cool))"
  else
    _heal_breaker_line "$failures" "$_heal_now" closed 0
  fi
}

_heal_after_success() {
  (($1)) && return 1
  _heal_breaker_now 0 0
  [[ $_heal_n_state != forced-open ]] || return 1
  [[ $_heal_n_state != open ]] || ((_heal_b_last < $2)) || return 1
  _heal_breaker_line 0 0 closed 0
  [[ $_heal_b_raw != "$_heal_text" ]]
}

_heal_with_probe() {
  _heal_breaker_line "$_heal_b_failures" "$_heal_b_last" half-open "$((_heal_now + _heal_lease))"
}

_heal_mended_breaker() {
  local last=$_heal_b_last
  ((last > _heal_now)) && last=$_heal_now
  _heal_breaker_line "$_heal_b_failures" "$last" "$_heal_n_state" "${_heal_n_until:-0}"
}
