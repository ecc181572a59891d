#!/usr/bin/env bash
# Restarts the queue worker when the queue is over its threshold and the worker lives but does not
# get on. A failed measurement is a fact too: ERROR is never taken for zero.
set -u

: "${DEMO_ROOT:?}" "${HEAL_SH:?}" "${THRESHOLD:=80}" "${LOOKS:=12}"
# shellcheck source=../../shell/heal.sh
source "$HEAL_SH"
# shellcheck source=redis.sh
source "${BASH_SOURCE[0]%/*}/redis.sh"

worker_pid() {
  local pid=
  [[ -r $DEMO_ROOT/run/worker.pid ]] && read -r pid <"$DEMO_ROOT/run/worker.pid"
  [[ $pid =~ ^[1-9][0-9]*$ && -d /proc/$pid ]] && printf '%s' "$pid"
}

detect() {
  local depth busy pid release=
  depth=$(redis LLEN demo:jobs) || depth=ERROR
  busy=$(redis EXISTS demo:busy) || busy=ERROR
  pid=$(worker_pid)
  read -r release <"$DEMO_ROOT/deploy/current"
  printf 'queue_depth=%s,workers_alive=%s,worker_busy=%s,worker_pid=%s,release=%s' \
    "$depth" "$((${#pid} > 0))" "$busy" "${pid:-none}" "$release"
}

decide() { # FACT
  [[ $1 =~ ^queue_depth=([0-9]+),workers_alive=1,worker_busy=0,worker_pid=([0-9]+), ]] || return 0
  ((BASH_REMATCH[1] > THRESHOLD)) || return 0
  printf 'restart_worker pid=%s' "${BASH_REMATCH[2]}"
}

restart() { # INTENT
  kill -KILL "${1##*pid=}"
}

# A worker that was just started gets on after a while; one that never does has failed.
drains() { # INTENT
  local look
  for ((look = 0; look < LOOKS; look++)); do
    [[ $(redis EXISTS demo:busy) == 1 ]] && return
    sleep 0.2
  done
  return 1
}

heal_main detect decide restart drains "$@"
