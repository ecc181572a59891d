# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# Files, pipes, hashes and the clock without forks.

_heal_now=0 _heal_ms=0 _heal_real='' _heal_raw='' _heal_why='' _heal_pr='' _heal_pw=''
declare -ga _heal_hashes=()
declare -gA _heal_keys=()

# Read the clock once: _heal_now whole seconds, _heal_ms the milliseconds in it. A test that has the
# clock in hand defines this function anew.
_heal_clock() {
  if [[ -n ${EPOCHREALTIME-} ]]; then
    _heal_real=$EPOCHREALTIME
    _heal_now=${_heal_real::-7} _heal_ms=$((10#${_heal_real: -6:3}))
  else
    printf -v _heal_now '%(%s)T' -1
    _heal_ms=0
  fi
}

# Milliseconds that only count, in _heal_num: for durations and deadlines.
_heal_tick_ahead=''
_heal_ticks() {
  local up
  # The wall clock steps; the time since boot does not. Where that cannot be read for once, the shell's own
  # seconds stand in, as far ahead as it was: a deadline is not to be met by another clock.
  if [[ -r /proc/uptime ]] && read -r up _ </proc/uptime && [[ $up == [0-9]*.[0-9][0-9] && ${up/./} != *[!0-9]* ]]; then
    _heal_num=$((10#${up/./} * 10))
    [[ -n $_heal_tick_ahead ]] || _heal_tick_ahead=$((_heal_num - SECONDS * 1000))
  else
    _heal_num=$((SECONDS * 1000 + _heal_tick_ahead))
  fi
}

# A pipe of our own: read end _heal_pr, write end _heal_pw. Bash from 5.1 holds a small here-string in
# a pipe, whose write end can be opened again; before that it costs a fork.
_heal_pipe() {
  local line
  _heal_pr=''
  { exec {_heal_pr}<<<''; } 2>/dev/null
  if [[ -n $_heal_pr && -p /proc/self/fd/$_heal_pr ]]; then
    IFS= read -r -u "$_heal_pr" line
  else
    [[ -z $_heal_pr ]] || exec {_heal_pr}<&-
    { exec {_heal_pr}< <(:); } 2>/dev/null || return 1
  fi
  { exec {_heal_pw}>"/proc/self/fd/$_heal_pr"; } 2>/dev/null
}

# Something of our own to write to by _heal_pw, and when that is closed to read by _heal_pr or its path in
# /proc: a pipe where that costs no fork, else the here-string's file, which has no name.
_heal_spool() { _heal_spool_read && exec {_heal_pw}>"/proc/self/fd/$_heal_pr"; } 2>/dev/null

# The same without _heal_pw: what opens the path, writes and closes it has written it.
_heal_spool_read() {
  _heal_pr=''
  exec {_heal_pr}<<<''
  if [[ -p /proc/self/fd/$_heal_pr ]]; then
    read -r -u "$_heal_pr" _
  elif [[ -z $_heal_pr ]]; then
    _heal_pipe && exec {_heal_pw}>&-
  fi
}

# SHA-256 of each argument into _heal_hashes, in one fork.
_heal_hash() {
  local text out='' fd paths=() fds=()
  _heal_hashes=()
  {
    for text; do
      _heal_spool_read || break
      fds+=("$_heal_pr")
      # A text that did not get through whole would be another text's key.
      printf '%s' "$text" >"/proc/self/fd/$_heal_pr" && paths+=("/proc/self/fd/$_heal_pr")
    done
  } 2>/dev/null
  if ((${#paths[@]} == $#)); then out=$(exec sha256sum "${paths[@]}" 2>/dev/null) || out=''; fi
  for fd in "${fds[@]}"; do exec {fd}<&-; done
  for text in $out; do
    [[ ${#text} -eq 64 && $text != *[^0-9a-f]* ]] && _heal_hashes+=("$text")
  done
  ((${#_heal_hashes[@]} == $#))
}

# Keys of intent $1 in window $2 and the one before; remembered for this process.
_heal_key='' _heal_key_before='' _heal_keys_are=''
_heal_keys_of() {
  [[ "$2 $1" == "$_heal_keys_are" ]] || _heal_find_keys "$1" "$2"
}
_heal_find_keys() {
  local n=$2 found=${_heal_keys["$2 $1"]-}
  if [[ -z $found ]]; then
    _heal_hash "$1.$n" "$1.$((n - 1))" || return 1
    ((${#_heal_keys[@]} < 64)) || _heal_keys=()
    found=${_heal_hashes[*]}
    _heal_keys["$2 $1"]=$found
  fi
  _heal_key=${found:0:64} _heal_key_before=${found:65} _heal_keys_are="$2 $1"
}

# Read the file $1 whole into _heal_raw. 0 read, 1 missing, 2 corrupt with _heal_why.
_heal_slurp() {
  _heal_raw='' _heal_why=''
  # A file as it mostly is: missing, or read to its end, which is what makes read fail.
  if [[ -f $1 ]]; then
    if [[ ! -L $1 ]]; then
      IFS= read -r -d '' -n "${2:-4096}" _heal_raw 2>/dev/null <"$1" || [[ -z $_heal_raw ]] || return 0
    fi
  elif [[ ! -e $1 && ! -L $1 ]]; then
    return 1
  fi
  _heal_slurp_odd "$@"
}

# The same of any file: empty, too large, with NULs, not readable, or none at all.
_heal_slurp_odd() {
  local limit=${2:-4096} more='' got=0
  _heal_raw=''
  if [[ -L $1 ]]; then
    _heal_why='not a regular file'
    return 2
  fi
  if [[ ! -f $1 ]]; then
    [[ -e $1 ]] || return 1
    _heal_why='not a regular file'
    return 2
  fi
  # A NUL ends a read early; bash cannot hold it, and no format has it. (Asked by "||", as a redirection
  # that fails is a failure whatever "!" stands before it.)
  {
    IFS= read -r -d '' -n $((limit + 1)) _heal_raw && got=1 && IFS= read -r -d '' -n "$limit" more
    :
  } 2>/dev/null <"$1" || {
    [[ -e $1 ]] || return 1
    _heal_why='not readable'
    return 2
  }
  ((got)) || return 0
  _heal_why='does not match its format'
  ((${#_heal_raw} > limit || ${#_heal_raw} + ${#more} >= limit)) && _heal_why="larger than $limit bytes"
  return 2
}

# The one line of the small state file $1, in _heal_raw without its newline. Returns as _heal_slurp.
_heal_line() { _heal_slurp "$1" && _heal_take_line; }

# The same of what was read.
_heal_take_line() {
  if [[ -z $_heal_raw ]]; then
    _heal_why=empty
    return 2
  fi
  _heal_raw=${_heal_raw%$'\n'}
  _heal_why='does not match its format'
  # Blanks at the ends would be lost in splitting, and what is no blank is no separator.
  [[ $_heal_raw != *[^' '-'~'$'\t']* && -n $_heal_raw && $_heal_raw != [$' \t']* && $_heal_raw != *[$' \t'] ]] ||
    return 2
}

# Whether the directory $1 below the state directory can be looked into; missing is fine.
_heal_dir_ok() {
  [[ $1 != */* ]] || _heal_dir_ok "${1%/*}" || return 1
  if [[ -L $_heal_dir/$1 || (-e $_heal_dir/$1 && ! -d $_heal_dir/$1) ]]; then
    _heal_why='not a directory'
    return 1
  fi
  if [[ -d $_heal_dir/$1 && ! (-x $_heal_dir/$1 && -r $_heal_dir/$1) ]]; then
    _heal_why='not readable'
    return 1
  fi
}

# Write $2 as the whole content of the file $1. What is there and no regular file is not waited on.
_heal_write() { [[ ! -L $1 && (-f $1 || ! -e $1) ]] && { printf '%s' "$2" >|"$1"; } 2>/dev/null; }

# Write $2 at the beginning of the file $1 in one write, without truncating it before.
_heal_overwrite() { [[ ! -L $1 && -f $1 ]] && { printf '%s' "$2" 1<>"$1"; } 2>/dev/null; }
