#!/usr/bin/env bash
# heal.sh - guardrails for healers written in bash (4.4 or later). Source it, set NAME, and either
# write the loop yourself around heal_act_with_guardrails, or hand four functions to heal_main:
#
#   detect() { printf 'queue_depth=%s' "$(queue-length)" || printf 'queue_depth=ERROR'; }
#   decide() { [[ $1 =~ ^queue_depth=([0-9]+)$ ]] && ((BASH_REMATCH[1] > 10000)) && echo restart_worker; }
#   restart() { systemctl restart worker; }
#   drains() { ...; }
#   NAME=worker-queue-healer
#   source heal.sh
#   heal_main detect decide restart drains "$@"
#
# It needs flock, sha256sum and coreutils. Standard output carries facts and intents; messages go
# to standard error. State files, audit events and their formats: docs/contract.md of healconsole,
# which a healer in Python follows as well, so that the two guard each other.
#
# Names that begin with _heal_ are private. Content of files is never evaluated: a field passes a
# strict pattern before it comes near arithmetic, because bash arithmetic runs $(...) in subscripts.

[[ -n ${_HEAL_LOADED-} ]] && return 0

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf 'heal.sh: needs bash 4.4 or later, this is %s\n' "$BASH_VERSION" >&2
  return 1
fi

_HEAL_VERSION=0.1.0
_HEAL_HOME=${BASH_SOURCE[0]%/*}
[[ $_HEAL_HOME == "${BASH_SOURCE[0]}" ]] && _HEAL_HOME=.

for _heal_part in text names files policy state decide chain audit metrics watchdog lock commit act redis fleet lease legacy measure record loop; do
  # shellcheck source=/dev/null
  source "$_HEAL_HOME/heal.d/$_heal_part.sh" || {
    printf 'heal.sh: %s/heal.d/%s.sh cannot be read\n' "$_HEAL_HOME" "$_heal_part" >&2
    return 1
  }
done
unset _heal_part
_HEAL_LOADED=$_HEAL_VERSION
