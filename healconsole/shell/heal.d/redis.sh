# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# Asking Redis over bash's own TCP (redis-cli only for TLS and unix sockets), bounded in time: one server, the
# primary that Sentinels name, or a Cluster. What Redis does not say is unknown, and unknown is never taken for free.

_heal_redis_why='' _heal_redis_unanswered=0 _heal_redis_fd=''
_HEAL_REDIS_TIMEOUT=2
declare -ga _heal_replies=()
declare -gA _heal_luas=()

# Split the address $1 into scheme, user, password, host, port and db, with those of Sentinels and Clusters in
# nodes ("host port" each) and primary; 1 if it is no such address.
_heal_redis_address() {
  local rest=$1 login='' default=6379
  scheme=${rest%%://*} user='' password='' host='' port=6379 db=0 path='' nodes=() primary=''
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
    redis | rediss | redis+cluster) ;;
    redis+sentinel) default=26379 ;;
    *) return 1 ;;
  esac
  [[ $rest == */* ]] && db=${rest#*/}
  rest=${rest%%/*}
  if [[ $scheme == redis+sentinel ]]; then
    primary=${db%%/*} db=${db#"$primary"}
    db=${db#/}
    _heal_url_decode "$primary" && primary=$_heal_text
    [[ -n $primary && $primary != 0 ]] || return 1
  fi
  local place
  for place in ${rest//,/ }; do
    _heal_redis_place "$place" "$default" || return 1
    nodes+=("$host $port")
  done
  ((${#nodes[@]})) || nodes=("localhost $default")
  [[ $scheme == *+* || ${#nodes[@]} -eq 1 ]] || return 1
  host=${nodes[0]% *} port=${nodes[0]##* } db=${db:-0}
  _heal_is_count "$db"
}

# Split "host:port" $1, with port $2 where it has none.
_heal_redis_place() {
  local rest=$1
  port=$2
  if [[ $rest == \[*\]* ]]; then
    host=${rest%%\]*}
    host=${host#\[}
    rest=${rest#*\]}
    [[ -z $rest ]] || port=${rest#:}
  else
    host=${rest%%:*}
    [[ $rest != *:* ]] || port=${rest#*:}
  fi
  host=${host:-localhost}
  _heal_is_count "$port" && ((port > 0 && port < 65536))
}

# User and password of the environment, where the address has none; 1 if their file cannot be used.
_heal_redis_login() {
  local file=${HEAL_REDIS_PASSWORD_FILE-} mode
  [[ -z $user$password && $scheme != unix ]] || return 0
  if [[ -n $file ]]; then
    _heal_redis_why="HEAL_REDIS_PASSWORD_FILE=$file: others can read it; chmod 600 it"
    mode=$(exec stat -c %a -- "$file" 2>/dev/null) || mode=none
    [[ $mode == [0-7]*00 && -f $file && ! -L $file ]] || return 1
    _heal_redis_why="HEAL_REDIS_PASSWORD_FILE=$file: cannot be read"
    _heal_slurp "$file" || return 1
    password=${_heal_raw%%$'\n'*}
  else
    password=${HEAL_REDIS_PASSWORD-}
  fi
  [[ -z $password ]] || user=${HEAL_REDIS_USER-}
}

# The name $1 as keys have it that one script takes: in a Cluster in braces, which put them into one slot, and
# with an index of its own in it.
_heal_tagged='' _heal_index=heal:locks
_heal_tag() {
  _heal_tagged=$1 _heal_index=heal:locks
  [[ ${HEAL_REDIS_URL-} == redis+cluster://* ]] || return 0
  [[ $1 == *'{'* ]] || _heal_tagged="{$1}"
  _heal_index="heal:locks:$_heal_tagged"
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
  local scheme user password host port db path nodes primary where rc=0 line
  _heal_replies=() _heal_redis_unanswered=0
  if ! _heal_redis_address "$HEAL_REDIS_URL"; then
    _heal_redis_why='the Redis address is not redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://'
    return 1
  fi
  _heal_redis_login || return 1
  where=$host:$port
  case $scheme in
    unix) where=$path ;;
    redis+sentinel) where="Sentinel ${nodes[*]} ($primary)" ;;
    redis+cluster) where="Cluster ${nodes[*]}" ;;
  esac
  case $scheme in
    redis) _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_tcp "$@" || rc=$? ;;
    redis+sentinel) _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_sentinel "$@" || rc=$? ;;
    redis+cluster) _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_cluster "$@" || rc=$? ;;
    *) _heal_capture "$_HEAL_REDIS_TIMEOUT" _heal_redis_cli "$@" || rc=$? ;;
  esac
  while IFS= read -r line; do
    [[ -n $line ]] && _heal_unpercent "$line" && _heal_replies+=("$_heal_text")
  done <<<"$_heal_captured"
  case $rc in
    0) ;;
    3) _heal_redis_why="$where refuses the password: put the right one into the Redis address" ;;
    4) _heal_redis_why="$where cannot be reached" ;;
    6) _heal_redis_why="$where: no Sentinel knows the primary" ;;
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
  local payload='' count=0 words=() word i
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
  _heal_redis_open "$payload" || return
  for ((i = 0; i < count; i++)); do
    _heal_redis_reply || return 5
    _heal_redis_say
  done
  return 0
}

# Connect to host and port, log in, and send the commands $1, all at once; their replies are still to be read.
_heal_redis_open() {
  local payload='' greeting=0
  if [[ -n $password ]]; then
    if [[ -n $user ]]; then _heal_redis_pack AUTH "$user" "$password"; else _heal_redis_pack AUTH "$password"; fi
    payload+=$_heal_text
    ((greeting += 1))
  fi
  if ((db)); then
    _heal_redis_pack SELECT "$db"
    payload+=$_heal_text
    ((greeting += 1))
  fi
  trap '' PIPE
  { exec {_heal_redis_fd}<>"/dev/tcp/$host/$port"; } 2>/dev/null || return 4
  { printf '%s' "$payload$1" >&"$_heal_redis_fd"; } 2>/dev/null || return 5
  for (( ; greeting > 0; greeting--)); do
    _heal_redis_reply || return 5
    [[ $_heal_text == +* ]] || return 3
  done
}

# Hand one reply over to the parent.
_heal_redis_say() {
  _heal_percent "$_heal_text" '[^!-$&-~]'
  printf '%s\n' "$_heal_text"
}

# Ask the Sentinels for the primary, and then it. A Sentinel that hangs takes all the time that there is, so each
# ask begins with another one.
_heal_redis_sentinel() {
  local i at=$((RANDOM % ${#nodes[@]})) found name=$user word=$password number=$db
  for ((i = 0; i < ${#nodes[@]}; i++)); do
    found=${nodes[(at + i) % ${#nodes[@]}]}
    host=${found% *} port=${found##* } user='' password='' db=0
    _heal_redis_pack SENTINEL GET-MASTER-ADDR-BY-NAME "$primary"
    _heal_redis_open "$_heal_text" || continue
    IFS= read -r -u "$_heal_redis_fd" found || continue
    [[ $found == '*2'$'\r' ]] || continue
    _heal_redis_reply || continue
    host=${_heal_text#?}
    _heal_redis_reply || continue
    port=${_heal_text#?}
    exec {_heal_redis_fd}>&-
    user=$name password=$word db=$number
    _heal_is_count "$port" || return 6
    _heal_redis_tcp "$@"
    return
  done
  return 6
}

# Ask each command of the node that has its key; a node says where that is.
_heal_redis_cluster() {
  local word words=() packed hops
  for word in "$@" ';;'; do
    if [[ $word != ';;' ]]; then
      words+=("$word")
      continue
    fi
    _heal_redis_pack "${words[@]}"
    packed=$_heal_text words=()
    for hops in 1 2 3 4; do
      _heal_redis_node "$packed" || return
      [[ $_heal_text == -MOVED* ]] || break
      _heal_redis_place "${_heal_text##* }" 6379 || return 5
      exec {_heal_redis_fd}>&-
      _heal_redis_fd=''
    done
    _heal_redis_say
  done
}

# Send the command $1 to host and port, or to the first of the nodes that can be reached; its reply in _heal_text.
_heal_redis_node() {
  local node rc=4
  if [[ -n $_heal_redis_fd ]]; then
    { printf '%s' "$1" >&"$_heal_redis_fd"; } 2>/dev/null && _heal_redis_reply || return 5
    return 0
  fi
  for node in "$host $port" "${nodes[@]}"; do
    host=${node% *} port=${node##* } rc=0
    _heal_redis_open "$1" || rc=$?
    ((rc != 4)) || continue
    ((rc == 0)) || return "$rc"
    _heal_redis_reply || return 5
    return 0
  done
  return 4
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
