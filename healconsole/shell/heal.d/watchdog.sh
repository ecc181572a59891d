# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# What systemd is told, where it asked to be told: ready, alive, the last verdict, stopping. Bash cannot
# write to a socket, so systemd-notify says it, as a child: the unit needs NotifyAccess=all.

# Milliseconds after which to say again that the loop turns (0: nobody asked), and when that is.
_heal_watch=0 _heal_watch_at=0

# A third of what the watchdog allows: half of it is what sd_watchdog_enabled(3) asks for, and the rest is
# for a machine that is busy.
_heal_watch_begin() {
  _heal_watch=0 _heal_watch_at=0
  [[ -n ${NOTIFY_SOCKET-} && ${WATCHDOG_PID:-$$} == "$$" ]] || return 0
  if _heal_is_digits "${WATCHDOG_USEC-}" 15 && [[ $WATCHDOG_USEC != 0 ]]; then
    _heal_watch=$((WATCHDOG_USEC > 3000 ? WATCHDOG_USEC / 3000 : 1))
  fi
  if ! hash systemd-notify 2>/dev/null; then
    heal_log 'systemd asks for signs of life, and there is no systemd-notify to give them'
    _heal_watch=0
    unset NOTIFY_SOCKET
  fi
}

# Say assignments such as READY=1. It speaks as its parent, this process, where the kernel lets it (root).
# It keeps no lock if systemd lets it wait.
_heal_notify() {
  [[ -n ${NOTIFY_SOCKET-} ]] || return 0
  (
    [[ -z $_heal_single_fd ]] || exec {_heal_single_fd}>&-
    exec systemd-notify "$@"
  ) >/dev/null 2>&1 || :
}

# Say that the loop turns, if it is time to. Leaves the ticks of now in _heal_num.
_heal_alive() {
  _heal_ticks
  ((_heal_watch && _heal_num >= _heal_watch_at)) || return 0
  _heal_watch_at=$((_heal_num + _heal_watch))
  _heal_notify WATCHDOG=1
}

# Cut the caller's "left", in milliseconds from the ticks in _heal_num, to when it is time to.
_heal_until_alive() {
  ((_heal_watch && left > _heal_watch_at - _heal_num)) || return 0
  left=$((_heal_watch_at - _heal_num))
  ((left >= 1)) || left=1
}

# The last verdict on the intent $1, in one line of at most 250 bytes. A line break in it would be a message
# of its own, so each control character is shown as "?".
_heal_status() {
  [[ -n ${NOTIFY_SOCKET-} && -n $_heal_single_fd ]] || return 0
  _heal_status_line "$1"
  _heal_notify "STATUS=$_heal_text"
}

_heal_status_line() {
  local said=allowed done=$_heal_outcome
  _heal_text='nothing to do'
  [[ -n $1 ]] || return 0
  ((_heal_v_allow)) || said="denied by $_heal_v_guard"
  [[ $done != denied ]] || done=''
  _heal_encodable "$said: $_heal_v_reason${done:+, $done}: ${1:0:4096}"
  _heal_text=${_heal_text//[$'\x01'-$'\x1f\x7f']/?}
  _heal_text=${_heal_text:0:250}
  until _heal_is_utf8 "$_heal_text"; do _heal_text=${_heal_text%?}; done
}

# No command of the healer speaks for it: a daemon that an action starts would else tell systemd that the
# healer is ready, or stops.
_heal_withdraw() { unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID; }
