#!/usr/bin/env bash
# A healer as it was written before heal.sh: empty markers, two-field rate and cb files in the flat
# layout, whole intents as scopes, audit lines with seven fields, and no record of its cycles.
# The console reads it and works on it without any change to it.
set -u

: "${NAME:=legacy-mailq}" "${HEAL_STATE_DIR:?}" "${HEAL_AUDIT_FILE:?}" "${DEMO_ROOT:?}"
: "${LIMIT:=8}" "${DRY_RUN:=false}" "${INTERVAL:=2}"
RATE=0.0167 BURST=3 CB_MAX=3 CB_COOLDOWN=600

mkdir -p "$HEAL_STATE_DIR/keys"

audit() { # INTENT OUTCOME REASON FACT
  printf '{"ts":"%s","host":"%s","healer":"%s","intent":"%s","outcome":"%s","reason":"%s","fact":"%s"}\n' \
    "$(date -Is)" "$(uname -n)" "$NAME" "$1" "$2" "$3" "$4" >>"$HEAL_AUDIT_FILE"
}

idem_key() { printf '%s' "$1.$(($(date +%s) / 300))" | sha256sum | cut -d' ' -f1; }

rate_check() { # INTENT
  local file="$HEAL_STATE_DIR/rate-$1" now last tokens
  now=$(date +%s)
  if [[ -f $file ]]; then read -r last tokens _ <"$file"; else last=$now tokens=$BURST; fi
  tokens=$(awk -v t="$tokens" -v l="$last" -v n="$now" -v r="$RATE" -v b="$BURST" \
    'BEGIN { t += (n - l) * r; if (t > b) t = b; printf "%.4f", t }')
  if awk -v t="$tokens" 'BEGIN { exit !(t < 1) }'; then return 1; fi
  printf '%s %s\n' "$now" "$(awk -v t="$tokens" 'BEGIN { printf "%.4f", t - 1 }')" >"$file"
}

cb_check() { # INTENT
  local file="$HEAL_STATE_DIR/cb-$1" failures last _
  [[ -f $file ]] || return 0
  read -r failures last _ <"$file"
  ((failures < CB_MAX)) || (($(date +%s) - last >= CB_COOLDOWN))
}

cb_record() { # INTENT success|failure
  local file="$HEAL_STATE_DIR/cb-$1" failures=0 _
  if [[ $2 == success ]]; then
    printf '0 0\n' >"$file"
    return
  fi
  [[ ! -f $file ]] || read -r failures _ <"$file"
  printf '%s %s\n' "$((failures + 1))" "$(date +%s)" >"$file"
}

detect() {
  local messages=("$DEMO_ROOT"/mailq/*)
  [[ -e ${messages[0]} ]] || messages=()
  printf 'deferred=%s' "${#messages[@]}"
}

decide() { # FACT
  local deferred=${1#deferred=}
  ((deferred > LIMIT)) && printf 'flush_mailq queue=deferred limit=%s' "$LIMIT"
}

act() { rm -f "$DEMO_ROOT"/mailq/*; }

verify() { [[ $(detect) == deferred=[0-9] ]]; }

cycle() {
  local fact intent key
  fact=$(detect)
  intent=$(decide "$fact") || return 0
  key=$(idem_key "$intent")
  [[ ! -e $HEAL_STATE_DIR/keys/$key ]] || return 0
  rate_check "$intent" || return 0
  cb_check "$intent" || return 0
  if [[ $DRY_RUN == true ]]; then
    audit "$intent" dry-run "deferred over $LIMIT" "$fact"
    return 0
  fi
  touch "$HEAL_STATE_DIR/keys/$key"
  if act && verify; then
    cb_record "$intent" success
    audit "$intent" success "deferred over $LIMIT" "$fact"
  else
    cb_record "$intent" failure
    audit "$intent" verify-failed "deferred over $LIMIT" "$fact"
  fi
}

if [[ ${1:-} == --once ]]; then
  cycle
else
  while :; do
    cycle
    sleep "$INTERVAL"
  done
fi
