#!/usr/bin/env bash
# Acts on one new intent after the other, for ever. What was begun and what was recorded is told outside the
# disk that is under test.
# shellcheck source=/dev/null
source "$SCENE_LIBRARY"

_heal_clock() {
  _heal_now=$SCENE_NOW
  _heal_ms=0
}
act() { printf '%s\n' "$1" >>"$SCENE_BEGUN"; }
check() { ((number % 3)); }

for ((number = 1; ; number++)); do
  heal_act_with_guardrails "fix writer=bash number=$number" act check
  printf '%s\n' "fix writer=bash number=$number" >>"$SCENE_RECORDED"
done
