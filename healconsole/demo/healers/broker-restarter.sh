#!/usr/bin/env bash
# Restarts the broker when it does not answer a PING within a second. Two hosts share the broker,
# so the fleet lock named by HEAL_FLEET_LOCK is taken before anything is done.
set -u

: "${DEMO_ROOT:?}" "${HEAL_SH:?}"
# shellcheck source=../../shell/heal.sh
source "$HEAL_SH"

ping_broker() {
  local port="" fd reply=
  [[ -r $DEMO_ROOT/run/broker.port ]] && read -r port <"$DEMO_ROOT/run/broker.port"
  [[ $port =~ ^[0-9]+$ ]] || return 1
  { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'PING\n' >&"$fd"
  read -r -t 1 reply <&"$fd"
  exec {fd}>&-
  [[ $reply == PONG ]]
}

detect() {
  local pid=
  [[ -r $DEMO_ROOT/run/broker.pid ]] && read -r pid <"$DEMO_ROOT/run/broker.pid"
  if ping_broker; then
    printf 'broker=answers,broker_pid=%s' "$pid"
  else
    printf 'broker=silent,broker_pid=%s' "${pid:-none}"
  fi
}

decide() { # FACT
  [[ $1 =~ ^broker=silent,broker_pid=([0-9]+)$ ]] || return 0
  printf 'restart_broker pid=%s' "${BASH_REMATCH[1]}"
}

restart() { # INTENT
  kill -KILL "${1##*pid=}"
}

heal_main detect decide restart ping_broker "$@"
