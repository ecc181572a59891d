# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The audit log opened, locked, and the chain in it: an event carries the hash of the one before it, and
# its own. What these functions would say to standard error is for _heal_append to keep.

_heal_tail_fd='' _heal_log_fd='' _heal_prev='' _heal_torn=0
_heal_hash_fd='' _heal_text_r='' _heal_text_w='' _heal_end_r='' _heal_end_w=''
_heal_no_fork=-F

# Open the log and take its lock, within 5 s in all: descriptor in _heal_log_fd. 1 with _heal_why.
_heal_open_log() {
  local rc left=5000 until _heal_num
  _heal_ticks
  until=$((_heal_num + left))
  while ((left > 0)); do
    _heal_why='is not a regular file'
    [[ ! -L $_heal_audit ]] && [[ -f $_heal_audit || ! -e $_heal_audit ]] || return 1
    _heal_why='cannot be opened'
    exec {_heal_log_fd}>>"$_heal_audit" || return 1
    rc=0
    _heal_hold_log "$left" || rc=$?
    # It may have been rotated while this waited.
    ((rc == 0)) && [[ ! -L $_heal_audit && /proc/self/fd/$_heal_log_fd -ef $_heal_audit ]] && return 0
    _heal_close_log
    if ((rc == 64)) && [[ -n $_heal_no_fork ]]; then
      # A flock older than util-linux 2.31: it costs another fork.
      _heal_no_fork=''
    elif ((rc)); then
      ((rc == 1)) || _heal_why="cannot be locked: flock ended with exit code $rc"
      return 1
    fi
    _heal_ticks
    left=$((until - _heal_num))
  done
  _heal_why='is replaced all the time'
  return 1
}

# Lock the open log by a process that will hash as well, which saves a fork: flock becomes sha256sum, which
# says that it has begun (the hash of nothing), hashes one text, and holds the lock until its last
# input ends. $1 the milliseconds to wait for the lock at most.
_heal_hold_log() {
  local rc within
  printf -v within '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  _heal_why='cannot be locked: there is no pipe to be had'
  _heal_pipe || return 1
  _heal_text_r=$_heal_pr _heal_text_w=$_heal_pw
  _heal_pipe || return 1
  _heal_end_r=$_heal_pr _heal_end_w=$_heal_pw
  # In the caller's locale a fraction may begin with a comma.
  # shellcheck disable=SC2086 # one word or none
  exec {_heal_hash_fd}< <(
    trap '' INT TERM HUP QUIT USR1
    exec {_heal_text_w}>&- {_heal_end_w}>&-
    LC_ALL=C exec flock $_heal_no_fork -x -w "$within" "/proc/self/fd/$_heal_log_fd" \
      sha256sum /dev/null "/proc/self/fd/$_heal_text_r" "/proc/self/fd/$_heal_end_r" 2>/dev/null
  ) || return 1
  _heal_why='is locked by another writer'
  # 64 digits, two blanks, the name and a newline.
  _heal_hear_hash 76
  [[ $_heal_text == *$'  /dev/null\n' ]] && return 0
  rc=0
  wait "$!" || rc=$?
  ((rc)) || rc=1
  return "$rc"
}

# The next $1 bytes from the process that hashes, in _heal_text, or fewer if it ends before. By their number, as
# bash takes what is asked for by a delimiter from a pipe byte by byte, in several system calls each.
_heal_hear_hash() {
  local rc part
  _heal_text=''
  while ((${#_heal_text} < $1)); do
    rc=0
    IFS= read -r -N $(($1 - ${#_heal_text})) -u "$_heal_hash_fd" part || rc=$?
    _heal_text+=$part
    # A signal with a trap ends a read early.
    ((rc > 128)) && [[ -e /proc/$!/fd ]] || ((rc == 0)) || break
  done
}

# The hash of $1 in _heal_text, from the process that holds the lock.
_heal_hash_locked() {
  printf '%s' "$1" >&"$_heal_text_w" || return 1
  exec {_heal_text_w}>&-
  _heal_text_w=''
  _heal_hear_hash 32
  [[ ${#_heal_text} -eq 32 && $_heal_text != *[^0-9a-f]* ]]
}

# Close the log, and so let its lock go.
_heal_close_log() {
  local fd
  for fd in "$_heal_text_w" "$_heal_end_w" "$_heal_hash_fd" "$_heal_text_r" "$_heal_end_r" "$_heal_log_fd"; do
    [[ -z $fd ]] || exec {fd}>&-
  done
  _heal_text_w='' _heal_end_w='' _heal_hash_fd='' _heal_text_r='' _heal_end_r='' _heal_log_fd=''
}

# What the locked log ends in: whether the last line is torn in _heal_torn, the hash of the last event in
# _heal_prev. A descriptor remembers how far this process has looked, so that only what came since is
# read. What is more than some hundred lines costs a fork to skip.
_heal_look_back() {
  # By its descriptor: the name may be another file's by now, where a rotation takes no lock.
  local lines=() skipped=0 log=/proc/self/fd/$_heal_log_fd
  _heal_torn=0
  if [[ -n $_heal_tail_fd ]] && [[ ! -s $log || ! /proc/self/fd/$_heal_tail_fd -ef $log ]]; then
    exec {_heal_tail_fd}<&-
    _heal_tail_fd=''
  fi
  if [[ ! -s $log ]]; then
    _heal_prev=''
    _heal_look_at_rotated
    return 0
  fi
  if [[ -n $_heal_tail_fd ]]; then
    mapfile -n 512 -u "$_heal_tail_fd" lines
    # This process has written since its last look: nothing to read means that the file shrank.
    ((${#lines[@]})) || exec {_heal_tail_fd}<&-
  fi
  if ((${#lines[@]} == 0)); then
    _heal_prev=''
    exec {_heal_tail_fd}<"$log" || {
      _heal_tail_fd=''
      return 1
    }
    mapfile -n 512 -u "$_heal_tail_fd" lines
  fi
  if ((${#lines[@]} == 512)); then
    local rest=()
    mapfile rest < <(exec tail -c 131072 <&"$_heal_tail_fd" 2>/dev/null)
    ((${#rest[@]} == 0)) || lines=("${rest[@]}") skipped=1
  fi
  ((${#lines[@]})) || return 1
  [[ ${lines[-1]} == *$'\n' ]] || _heal_torn=1
  _heal_last_hash && return 0
  if ((skipped)); then
    mapfile lines < <(tac -- "$log" 2>/dev/null | grep -a -m 1 ',"hash":"[0-9a-f]\{32\}"}$' 2>/dev/null)
    _heal_last_hash && return 0
    _heal_prev=''
  fi
  [[ -n $_heal_prev ]] || _heal_look_at_rotated
  return 0
}

# The hash of the last of the lines in "lines" that has one, in _heal_prev; 1 if none has.
_heal_last_hash() {
  local i end
  for ((i = ${#lines[@]} - 1; i >= 0; i--)); do
    end=${lines[i]%$'\n'}
    ((${#end} >= 43)) || continue
    end=${end:${#end}-43}
    [[ $end == ',"hash":"'*'"}' ]] || continue
    end=${end:9:32}
    [[ $end != *[^0-9a-f]* ]] || continue
    _heal_prev=$end
    return 0
  done
  return 1
}

# The hash of the last event in the log that was rotated away from this name, if it is there as plain text:
# LOG.1, else the last LOG-DATE.
_heal_look_at_rotated() {
  local before=$_heal_audit.1 each fd lines=()
  if [[ ! -f $before || -L $before ]]; then
    before=''
    local -
    set +f
    for each in "$_heal_audit"-[0-9]*; do
      case $each in
        *.gz | *.bz2 | *.xz | *.zst) ;;
        *) [[ ! -f $each || -L $each ]] || before=$each ;;
      esac
    done
  fi
  [[ -n $before ]] || return 0
  if [[ $before -ef /proc/self/fd/$_heal_log_fd ]]; then
    # Rotated while this looked: it is the log that is held here, and what was before it moved on too.
    before=$_heal_audit.2
    [[ -f $before && ! -L $before ]] || return 0
  fi
  { exec {fd}<"$before"; } 2>/dev/null || return 0
  # Somebody who had the log open when it was renamed may still write his event.
  if flock -x -w 5 "$fd" 2>/dev/null; then
    mapfile lines < <(exec tail -c 131072 <&"$fd" 2>/dev/null)
    _heal_last_hash || :
  fi
  exec {fd}<&-
}
