#!/usr/bin/env bash
# Runs the bash that a test hands over as its first argument, with heal.sh sourced. The clock says
# TEST_NOW where that is set.
# shellcheck source=../../healconsole/shell/heal.sh
source "${BASH_SOURCE[0]%/*}/../../healconsole/shell/heal.sh"

if [[ -n ${TEST_NOW-} ]]; then
  _heal_clock() { _heal_now=$TEST_NOW _heal_ms=0; }
fi

# Actions and checks that tests ask for by name; each leaves a byte for each time that it ran.
mark() { printf . >>"$TEST_ROOT/$1"; }
act() { mark acted; }
good() { :; }
bad() { return 7; }
nap() { read -r -t 0.01 <> <(:) || :; }
await() { until [[ -e $TEST_ROOT/$1 ]]; do nap; done; }

eval "$1"
