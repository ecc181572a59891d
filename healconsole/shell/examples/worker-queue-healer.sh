#!/usr/bin/env bash
# Restarts the workers of a queue that is long although its workers live: at most one restart a minute
# and three at once, and after three that did not help, none for ten minutes.
#
#   QUEUE_KEY=jobs WORKER_UNIT=queue-worker@ ./worker-queue-healer.sh
#   ./worker-queue-healer.sh --detect       what it measures (a monitoring check may call this)
#   ./worker-queue-healer.sh --plan         what it would do now, and what the guardrails say

: "${NAME:=worker-queue-healer}" "${HEAL_RATE:=0.0167}" "${HEAL_BURST:=3}" "${HEAL_CB_MAX:=3}" "${HEAL_CB_COOLDOWN:=600}"
: "${QUEUE_KEY:=jobs}" "${QUEUE_LIMIT:=10000}" "${WORKER_NAME:=queue-worker}" "${WORKER_UNIT:=queue-worker.service}"
export NAME

# What detect measures is a fact, also that it could not be measured: ERROR is never taken for zero.
detect() {
  local depth alive
  depth=$(redis-cli -e LLEN "$QUEUE_KEY" 2>/dev/null) && [[ $depth =~ ^[0-9]+$ ]] || depth=ERROR
  alive=$(pgrep -c -x "$WORKER_NAME") || [[ $alive == 0 ]] || alive=ERROR
  printf 'queue_depth=%s,workers_alive=%s\n' "$depth" "$alive"
}

# What to do about a fact, or nothing. It measures nothing, so a test can call it with any fact.
decide() { # FACT
  [[ $1 =~ ^queue_depth=([0-9]{1,9}),workers_alive=([0-9]{1,6})$ ]] || return 0
  ((10#${BASH_REMATCH[1]} > QUEUE_LIMIT && 10#${BASH_REMATCH[2]} > 0)) || return 0
  printf 'restart_workers queue=%s\n' "$QUEUE_KEY"
}

restart() { # INTENT FACT
  systemctl restart "$WORKER_UNIT"
}

# Whether it helped: the queue is shorter than it was, and somebody works on it.
drains() { # INTENT FACT
  local now before
  [[ $2 =~ ^queue_depth=([0-9]+), ]] && before=${BASH_REMATCH[1]}
  now=$(redis-cli -e LLEN "$QUEUE_KEY") || return 1
  [[ $now =~ ^[0-9]+$ && $now -lt ${before:-0} ]] && pgrep -x "$WORKER_NAME" >/dev/null
}

# Sourced by a test, it only defines its functions.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  # shellcheck source=../heal.sh
  source "${HEAL_SH:-${BASH_SOURCE[0]%/*}/../heal.sh}" || exit 1
  heal_main detect decide restart drains "$@"
fi
