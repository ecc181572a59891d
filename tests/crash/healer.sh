#!/usr/bin/env bash
# One cycle of a bash healer whose clock is in the test's hand. It waits for a line on standard input
# before it begins, so that a tracer can be attached to it.
# shellcheck source=/dev/null
source "$SCENE_LIBRARY"

_heal_clock() {
  _heal_now=$SCENE_NOW
  _heal_ms=0
}
detect() { printf 'stuck=1'; }
decide() { printf '%s' "$SCENE_INTENT"; }
act() { printf . >>"$SCENE_ACTED"; }
check() { "$SCENE_CHECK"; }

printf .
read -r
heal_main detect decide act check --once
