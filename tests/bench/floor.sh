#!/usr/bin/env bash
# What an allowed act of heal.sh waits for, and nothing around it: floor.sh LIBRARY ROUNDS DIRECTORY. The
# eight processes of one act are started from a shell of the same size, and its files are written, synced and
# renamed as the act does it. Prints the microseconds of each round.

library=$1 rounds=$2 dir=$3
# shellcheck source=/dev/null
source "$library"
mkdir -p "$dir"/{keys,claims,rate,scratch}
line='{"v":1,"ts":"2026-01-01T00:00:00.000+00:00","host":"h","healer":"h","intent":"restart_worker pid=1"}'

hold_log() { # the lock of the log and the hash of a line, by one process
  local hash
  IFS= read -r hash < <(exec flock -F -x "$dir/log" sha256sum /dev/null 2>/dev/null)
  printf '%s %s\n' "$line" "$hash" >>"$dir/log"
}

taken=()
for ((round = 0; round < rounds; round++)); do
  began=${EPOCHREALTIME/[.,]/}
  key=$(exec sha256sum /dev/null)
  exec {guard}<>"$dir/guard"
  flock -x "$guard"
  printf '%s\n' "$line" >"$dir/scratch/rate"
  printf '%s\n' "$line" >"$dir/keys/${key%% *}$round"
  printf '%s\n' "$line" >"$dir/claims/0"
  hold_log
  sync -- "$dir/scratch/rate" "$dir/keys/${key%% *}$round" "$dir/claims/0" "$dir/log" "$dir/keys"
  mv -f -- "$dir/scratch/rate" "$dir/rate/restart_worker"
  exec {guard}>&-
  (:) &
  wait "$!"
  printf '%s\n' "$line" 1<>"$dir/keys/${key%% *}$round"
  hold_log
  sync -- "$dir/log" "$dir/rate" "$dir/keys/${key%% *}$round"
  : >"$dir/claims/0"
  ended=${EPOCHREALTIME/[.,]/}
  taken+=($((ended - began)))
done
printf '%s\n' "${taken[@]}"
