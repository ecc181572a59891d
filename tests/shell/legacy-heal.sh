#!/usr/bin/env bash
# What a drop-in library of before does, as the baseline that heal.sh is measured against: it forks
# date, awk, jq (where it is installed), sha256sum, uname and, at each check, mkdir; keeps empty markers
# and two-field files named by the whole intent, takes no lock, and spends a token before it asks the
# circuit. Its faults are its own: do not source it in anything that matters.

: "${NAME:?}" "${DRY_RUN:=false}"
: "${HEAL_STATE_DIR:=/var/lib/heal/$NAME}" "${HEAL_AUDIT_FILE:=/var/log/heal/audit.jsonl}"
: "${HEAL_RATE:=0.0167}" "${HEAL_BURST:=3}" "${HEAL_CB_MAX:=3}" "${HEAL_CB_COOLDOWN:=600}"

heal_log() {
  printf '%s %s [%s] %s\n' "$(date -Is)" "$(uname -n)" "$NAME" "$*" >&2
}

heal_init() {
  mkdir -p "$HEAL_STATE_DIR/keys" "$HEAL_STATE_DIR/rate" "$HEAL_STATE_DIR/cb" "$(dirname "$HEAL_AUDIT_FILE")"
}

heal_audit() { # INTENT OUTCOME [REASON]
  if command -v jq >/dev/null; then
    jq -nc --arg ts "$(date -Is)" --arg host "$(uname -n)" --arg healer "$NAME" --arg intent "$1" \
      --arg outcome "$2" --arg reason "${3:-}" \
      '{ts:$ts,host:$host,healer:$healer,intent:$intent,outcome:$outcome,reason:$reason}' >>"$HEAL_AUDIT_FILE"
  else
    printf '{"ts":"%s","host":"%s","healer":"%s","intent":"%s","outcome":"%s","reason":"%s"}\n' \
      "$(date -Is)" "$(uname -n)" "$NAME" "$1" "$2" "${3:-}" >>"$HEAL_AUDIT_FILE"
  fi
}

heal_idem_key() { # INTENT
  local bucket
  bucket=$(($(date +%s) / 300))
  printf '%s' "$1.$bucket" | sha256sum | awk '{print $1}'
}

heal_idem_seen() { # KEY
  mkdir -p "$HEAL_STATE_DIR/keys"
  [[ -f $HEAL_STATE_DIR/keys/$1 ]]
}

heal_idem_mark() { # KEY
  mkdir -p "$HEAL_STATE_DIR/keys"
  : >"$HEAL_STATE_DIR/keys/$1"
}

heal_rate_check() { # NAME RATE BURST
  local file="$HEAL_STATE_DIR/rate/$1" now last tokens
  mkdir -p "$HEAL_STATE_DIR/rate"
  now=$(date +%s)
  if [[ -f $file ]]; then
    read -r last tokens <"$file"
  else
    last=$now tokens=$3
  fi
  tokens=$(awk -v t="$tokens" -v r="$2" -v b="$3" -v e="$((now - last))" \
    'BEGIN { t += e * r; if (t > b) t = b; printf "%.4f", t }')
  if awk -v t="$tokens" 'BEGIN { exit !(t < 1) }'; then
    printf '%s %s\n' "$now" "$tokens" >"$file"
    return 1
  fi
  printf '%s %s\n' "$now" "$(awk -v t="$tokens" 'BEGIN { printf "%.4f", t - 1 }')" >"$file"
}

heal_cb_check() { # NAME MAX COOLDOWN
  local file="$HEAL_STATE_DIR/cb/$1" failures last
  mkdir -p "$HEAL_STATE_DIR/cb"
  [[ -f $file ]] || return 0
  failures=$(awk '{print $1}' "$file")
  last=$(awk '{print $2}' "$file")
  if ((failures >= $2)); then
    (($(date +%s) - last >= $3)) || return 1
  fi
}

heal_cb_record() { # NAME success|failure
  local file="$HEAL_STATE_DIR/cb/$1" failures=0 last
  mkdir -p "$HEAL_STATE_DIR/cb"
  if [[ $2 == success ]]; then
    rm -f "$file"
    return 0
  fi
  [[ -f $file ]] && read -r failures last <"$file"
  printf '%s %s\n' "$((failures + 1))" "$(date +%s)" >"$file"
}

heal_act_with_guardrails() { # INTENT ACTION_FN CHECK_FN [REASON]
  local intent=$1 action=$2 check=$3 reason=${4:-} key scope=${1//\//_}
  mkdir -p "$HEAL_STATE_DIR"
  key=$(heal_idem_key "$intent")
  if heal_idem_seen "$key"; then
    heal_log "seen already: $intent"
    return 0
  fi
  if ! heal_rate_check "$scope" "$HEAL_RATE" "$HEAL_BURST"; then
    heal_log "rate limited: $intent"
    return 0
  fi
  if ! heal_cb_check "$scope" "$HEAL_CB_MAX" "$HEAL_CB_COOLDOWN"; then
    heal_log "circuit open: $intent"
    return 0
  fi
  if $DRY_RUN; then
    heal_log "dry-run: would $intent"
    heal_audit "$intent" dry-run "$reason"
    return 0
  fi
  heal_idem_mark "$key"
  if ! "$action" "$intent"; then
    heal_cb_record "$scope" failure
    heal_audit "$intent" action-failed "$reason"
    return 1
  fi
  [[ ${HEAL_SETTLE:-5} == 0 ]] || sleep "${HEAL_SETTLE:-5}"
  if ! "$check" "$intent"; then
    heal_cb_record "$scope" failure
    heal_audit "$intent" verify-failed "$reason"
    return 1
  fi
  heal_cb_record "$scope" success
  heal_audit "$intent" success "$reason"
}

heal_idempotency_key() { heal_idem_key "$@"; }
heal_rate_limit_check() { heal_rate_check "$@"; }
heal_circuit_breaker_check() { heal_cb_check "$@"; }
heal_circuit_breaker_record() { heal_cb_record "$@"; }
