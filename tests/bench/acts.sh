#!/usr/bin/env bash
# One path of a bash library, again and again: acts.sh LIBRARY ROUNDS INTENT [fresh]. Prints the
# microseconds that each round took, and looks for MARK between the rounds, for whoever counts calls.
# With "fresh" each round has an intent of its own. The environment has names, places and limits.

library=$1 rounds=$2 wanted=$3 fresh=${4-}
# shellcheck source=/dev/null
source "$library"

act() { :; }
good() { :; }

taken=() intent=$wanted
for ((round = 0; round < rounds; round++)); do
  [[ -z $fresh ]] || intent="$wanted$round"
  [[ -e $MARK ]]
  began=${EPOCHREALTIME/[.,]/}
  heal_act_with_guardrails "$intent" act good 'a bench'
  ended=${EPOCHREALTIME/[.,]/}
  taken+=($((ended - began)))
done
[[ -e $MARK ]]
printf '%s\n' "${taken[@]}"
