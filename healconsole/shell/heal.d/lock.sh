# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# .guard: held for every read-change-write of guard state.

_heal_guard_fd=''

# Hold .guard, had within 10 s in all; 1 with _heal_problem. Commands that write while it is held inherit it: a
# rename that outlives a killed healer must not meet the next one's.
_heal_lock() {
  local path=$_heal_dir/.guard left=10000 until within rc _heal_num
  _heal_ticks
  until=$((_heal_num + left))
  while ((left > 0)); do
    _heal_problem="$path is not a regular file"
    [[ ! -L $path ]] && [[ -f $path || ! -e $path ]] || return 1
    _heal_problem="$path cannot be opened"
    { exec {_heal_guard_fd}<>"$path"; } 2>/dev/null || return 1
    _heal_problem="$path is held by another process"
    printf -v within '%d.%03d' $((left / 1000)) $((left % 1000))
    # In the caller's locale a fraction may begin with a comma.
    rc=0
    LC_ALL=C flock -x -w "$within" "$_heal_guard_fd" 2>/dev/null || rc=$?
    if ((rc)); then
      ((rc == 1)) || _heal_problem="$path cannot be locked: flock ended with exit code $rc"
      break
    fi
    [[ ! -L $path && /proc/self/fd/$_heal_guard_fd -ef $path ]] && return 0
    _heal_unlock
    _heal_problem="$path is replaced all the time"
    _heal_ticks
    left=$((until - _heal_num))
  done
  _heal_unlock
  return 1
}

_heal_unlock() {
  [[ -z $_heal_guard_fd ]] || exec {_heal_guard_fd}>&-
  _heal_guard_fd=''
}
