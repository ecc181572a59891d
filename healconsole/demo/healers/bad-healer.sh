#!/usr/bin/env bash
# The healer that everybody has written once: it sees a long queue and restarts the worker, again and
# again. No idempotency, no rate, no breaker, no verification. It is here as a contrast, to be measured.
set -u

: "${DEMO_ROOT:?}" "${THRESHOLD:=80}" "${ACTIONS:?}"
# shellcheck source=redis.sh
source "${BASH_SOURCE[0]%/*}/redis.sh"

while :; do
  if (($(redis LLEN demo:jobs) > THRESHOLD)); then
    read -r pid <"$DEMO_ROOT/run/worker.pid"
    [[ $pid =~ ^[0-9]+$ ]] && kill -KILL "$pid" 2>/dev/null && printf 'restart\n' >>"$ACTIONS"
  fi
  sleep 0.5
done
