# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# Asking Redis over bash's own TCP (redis-cli only for TLS and unix sockets), bounded in time. What Redis does
# not say is unknown, and unknown is never taken for free.

_heal_redis_why='' _heal_redis_unanswered=0 _heal_redis_fd=''
_HEAL_REDIS_TIMEOUT=2
declare -ga _heal_replies=()
declare -gA _heal_luas=()

# Split HEAL_REDIS_URL into scheme, user, password, host, port and db; 1 if it is no such address.
_heal_redis_address() {
  local rest=$1 login=''
  scheme=${rest%%://*} user='' password='' host='' port=6379 db=0 path=''
  rest=${rest#*://}
  rest=${rest%%[?#]*}
  if [[ ${rest%%/*} == *@* ]]; then
    login=${rest%%/*}
    login=${login%@*}
    rest=${rest#"$login@"}
    user=${login%%:*}
    [[ $login != *:* ]] || password=${login#*:}
    _heal_url_decode "$user" && user=$_heal_text
    _heal_url_decode "$password" && password=$_heal_text
  fi
  case $scheme in
    unix)
      path=/${rest#/}
      return 0
      ;;
    redis | rediss) ;;
    *) return 1 ;;
  esac
  [[ $rest == */* ]] && db=${rest#*/}
  rest=${rest%%/*}
  if [[ $rest == \[*\]* ]]; then
    host=${rest%%\]*}
    host=${host#\[}
    rest=${rest#*\]}
    [[ -z $rest ]] || port=${rest#:}
  else
    host=${rest%%:*}
    [[ $rest != *:* ]] || port=${rest#*:}
  fi
  host=${host:-localhost} db=${db:-0}
  _heal_is_count "$port" && ((port > 0 && port < 65536)) && _heal_is_count "$db"
}

_heal_url_decode() {
  local rest=$1 out='' byte
  while [[ $rest == *%* ]]; do
    out+=${rest%%%*}
    rest=${rest#*%}
    [[ ${rest:0:2} == [0-9A-Fa-f][0-9A-Fa-f] ]] || return 1
    printf -v byte '%b' "\\x${rest:0:2}"
    out+=$byte
    rest=${rest:2}
  done
  _heal_text=$out$rest
}

# Run the commands given (words of each, commands parted by an argument ";;") and leave the replies in
# _heal_replies, each with its type in front: $text :number +status -error _ (nothing). 1 if Redis does
# not answer them all in time: _heal_redis_why, and _heal_redis_unanswered 1 if they may have taken effect.
_heal_redis() {
  local scheme user password host port db path where rc=0 line
  _heal_replies=() _heal_redis_unanswered=0
  if ! _heal_redis_address "$HEAL_REDIS_URL"; then
    _heal_redis_why='the Redis address is not redis://, rediss:// or unix://'
    return 1
  fi
  where=$host:$port
  [[ $scheme == unix ]] && where=$path
  if [[ $scheme == redis ]]; then
    _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_tcp "$@" || rc=$?
  else
    _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_cli "$@" || rc=$?
  fi
  while IFS= read -r line; do
    [[ -n $line ]] && _heal_unpercent "$line" && _heal_replies+=("$_heal_text")
  done <<<"$_heal_captured"
  case $rc in
    0) ;;
    3) _heal_redis_why="$where refuses the password: put the right one into the Redis address" ;;
    4) _heal_redis_why="$where cannot be reached" ;;
    124) _heal_redis_why="$where did not answer in $_HEAL_REDIS_TIMEOUT s" _heal_redis_unanswered=1 ;;
    *) _heal_redis_why="$where closed the connection" _heal_redis_unanswered=1 ;;
  esac
  ((rc == 0)) || return 1
  for line in "${_heal_replies[@]}"; do
    case $line in
      -LOADING*) _heal_redis_why="$where is still loading its data" ;;
      -READONLY*) _heal_redis_why="$where is a read-only replica: name the primary" ;;
      -NOAUTH* | -WRONGPASS*) _heal_redis_why="$where refuses the password: put the right one into the Redis address" ;;
      -NOPERM*) _heal_redis_why="$where refuses a command to this user: ${line#-}" ;;
      -*) _heal_redis_why="$where answered with an error: ${line#-}" ;;
      *) continue ;;
    esac
    return 1
  done
}

# In the child that is ended if it takes too long: even a connection that never comes about is bounded.
_heal_redis_tcp() {
  local payload='' count=0 words=() word greeting=0 i
  if [[ -n $password ]]; then
    if [[ -n $user ]]; then words=(AUTH "$user" "$password"); else words=(AUTH "$password"); fi
    _heal_redis_pack "${words[@]}"
    payload+=$_heal_text
    ((greeting += 1))
  fi
  if ((db)); then
    _heal_redis_pack SELECT "$db"
    payload+=$_heal_text
    ((greeting += 1))
  fi
  words=()
  for word in "$@" ';;'; do
    if [[ $word == ';;' ]]; then
      _heal_redis_pack "${words[@]}"
      payload+=$_heal_text
      ((count += 1))
      words=()
    else
      words+=("$word")
    fi
  done
  trap '' PIPE
  { exec {_heal_redis_fd}<>"/dev/tcp/$host/$port"; } 2>/dev/null || return 4
  { printf '%s' "$payload" >&"$_heal_redis_fd"; } 2>/dev/null || return 5
  for ((i = 0; i < greeting; i++)); do
    _heal_redis_reply || return 5
    [[ $_heal_text == +* ]] || return 3
  done
  for ((i = 0; i < count; i++)); do
    _heal_redis_reply || return 5
    _heal_percent "$_heal_text" '[^!-$&-~]'
    printf '%s\n' "$_heal_text"
  done
  return 0
}

# One command as RESP in _heal_text.
_heal_redis_pack() {
  local word
  _heal_text="*$#"$'\r\n'
  for word; do _heal_text+="\$${#word}"$'\r\n'"$word"$'\r\n'; done
}

# One reply in _heal_text; arrays are not asked for.
_heal_redis_reply() {
  local line size
  IFS= read -r -u "$_heal_redis_fd" line || return 1
  line=${line%$'\r'}
  case $line in
    [+:-]*) _heal_text=$line ;;
    '$-1' | '*-1' | _) _heal_text=_ ;;
    '$'*)
      size=${line#?}
      _heal_is_count "$size" || return 1
      line=''
      ((size == 0)) || IFS= read -r -N "$size" -u "$_heal_redis_fd" line || return 1
      IFS= read -r -u "$_heal_redis_fd" || return 1
      _heal_text="\$$line"
      ;;
    *) return 1 ;;
  esac
}

# The same by redis-cli, whose password comes by the environment: an argument could be read by anybody.
_heal_redis_cli() {
  local options=() words=() word out
  case $scheme in
    unix) options=(-s "$path") ;;
    *) options=(-h "$host" -p "$port" --tls -n "$db") ;;
  esac
  [[ -z $user ]] || options+=(--user "$user")
  [[ -z $password ]] || export REDISCLI_AUTH=$password
  for word in "$@" ';;'; do
    if [[ $word != ';;' ]]; then
      words+=("$word")
      continue
    fi
    out=$(exec redis-cli "${options[@]}" --no-raw "${words[@]}" 2>&1) || return 4
    words=()
    case $out in
      '(nil)') _heal_text=_ ;;
      '(integer) '*) _heal_text=:${out#'(integer) '} ;;
      '(error) '*) _heal_text=-${out#'(error) '} ;;
      \"*\")
        out=${out#\"}
        printf -v out '%b' "${out%\"}"
        _heal_text="\$$out"
        ;;
      'Could not connect'*) return 4 ;;
      *) _heal_text=+$out ;;
    esac
    _heal_percent "$_heal_text" '[^!-$&-~]'
    printf '%s\n' "$_heal_text"
  done
}

# A script of the fleet, in _heal_text: the same file that the Python library runs.
_heal_lua() {
  local path=${HEAL_LUA_DIR:-$_HEAL_HOME/../stores/lua}/$1.lua
  _heal_text=${_heal_luas["$1"]-}
  [[ -z $_heal_text ]] || return 0
  if ! _heal_slurp "$path" 65536; then
    _heal_redis_why="$path cannot be read"
    return 1
  fi
  _heal_text=$_heal_raw
  _heal_luas["$1"]=$_heal_raw
}
