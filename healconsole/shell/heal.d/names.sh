# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The names that functions of the library make local. Bash makes none local that is a readonly global: it
# would leave the library in the middle of an act, and go on behind it. So that is asked before anything is done,
# each time: the caller may make a name readonly between two calls.

# Of a guarded act; more of heal_main; more where there is a fleet.
_heal_names='GLOBIGNORE IFS LC_ALL action answers at before began boot bs byte c canary cb check child claim code cont control count
  deadline dir draft dry duration each end fact failures fd fds field fields file files folder found fraction
  gone got guard head here high i inside intent keep keep_fact keep_trigger kept key last left limit limits line
  lines log low made marker middle more n name number one order other out outcome owed part passes path paths
  pattern phase pid place plain probe proved q rate rc reason report rest room run said scope seconds since
  size skipped slot stage stamp start stat sum tail target text texts there three tokens traps trigger
  ttl two until up value version wait what whole window within word wrong zone'
_heal_names_main='allow began_at breakers buckets dead decide detect done due facts functions hashed how interval label labels
  late mask me mode ms now once plan rank seen settle state states status tries verb verdict who'
_heal_names_fleet='attempt commands db default greeting group halt halts holder hops host hosts how live login mode names node
  nodes now operator options packed password payload port primary reply scheme script slots sound storm unknown
  user uuid wanting where words'

# Whether what a call needs, to act or to write, can be made local; 1 with _heal_problem.
_heal_names_usable() {
  if _heal_fleet_wanted; then
    _heal_names_free "$_heal_names $_heal_names_fleet"
  else
    _heal_names_free "$_heal_names"
  fi
}

# Whether the names can be made local; 1 with the first that cannot in _heal_problem.
_heal_names_free() {
  _heal_can_be_local "$1" && return 0
  for _heal_problem in $1; do
    _heal_can_be_local "$_heal_problem" || break
  done
  _heal_problem="the variable $_heal_problem is readonly, and heal.sh needs that name: rename it, or make it readonly in a function"
  return 1
}
# shellcheck disable=SC2086,SC2316 # names they are, parted here and no sooner: each list of words is copied
_heal_can_be_local() { local $1; } 2>/dev/null
