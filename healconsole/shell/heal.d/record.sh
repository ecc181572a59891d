# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# The record of a cycle in cycle.json, and a plan: what one is like that changes nothing.

_heal_seq=0

# What the last record says: how many cycles there were, and by what the last one was denied.
_heal_read_seq() {
  local verb
  _heal_seq=0 _heal_said=''
  _heal_slurp "$_heal_dir/cycle.json" 65536 || return 0
  local number=${_heal_raw#*'"seq":'}
  number=${number%%,*}
  _heal_is_digits "$number" 15 && _heal_seq=$number
  verb=${_heal_raw#*'","intent":"'}
  verb=${verb%%[ \"]*}
  number=${_heal_raw#*'","verdict":{"allow":false,"guard":"'}
  [[ $number == "$_heal_raw" ]] || _heal_said="${number%%\"*} $verb"
}

# The shortest spelling of the decimal $1, in _heal_text.
_heal_short() {
  _heal_micro "$1"
  _heal_decimal "$_heal_num"
  while [[ $_heal_text == *.*0 ]]; do _heal_text=${_heal_text%0}; done
  _heal_text=${_heal_text%.}
}

# The verdict as JSON in _heal_text.
_heal_verdict_json() {
  local allow=false
  ((_heal_v_allow)) && allow=true
  _heal_encodable "$_heal_v_reason"
  _heal_json "$_heal_text"
  _heal_text="{\"allow\":$allow,\"guard\":\"$_heal_v_guard\",\"reason\":\"$_heal_text\",\"earliest\":${_heal_v_earliest:-null}}"
}

_heal_policy_json() {
  local settle action check
  _heal_short "$_heal_settle"
  settle=$_heal_text
  _heal_short "$_heal_action_timeout"
  action=$_heal_text
  _heal_short "$_heal_check_timeout"
  check=$_heal_text
  _heal_decimal "$_heal_rate"
  _heal_text="{\"rate\":\"$_heal_text\",\"burst\":$_heal_burst,\"max_failures\":$_heal_max,\"cooldown\":$_heal_cool"
  _heal_text+=",\"bucket\":$_heal_bucket,\"settle\":$settle,\"action_timeout\":$action,\"check_timeout\":$check}"
}

_heal_write_cycle() {
  local intent=$1 interval=$2 duration=$3 began=$4 verdict=null line at now due=0 mode=live done=$_heal_outcome
  [[ $done != denied ]] || done=''
  _heal_clock
  now=$((_heal_now * 1000 + _heal_ms))
  printf -v at '%d.%03d' "$_heal_now" "$_heal_ms"
  _heal_short_time "$now"
  at=$_heal_text
  if [[ $interval != 0 ]]; then
    _heal_millis_of "$interval" due
    due=$((${began%.*} * 1000 + ${began#*.} + due))
    ((due >= now)) || due=$now
    _heal_short_time "$due"
    due=$_heal_text
    _heal_short "$interval"
    interval=$_heal_text
  fi
  if [[ -n $intent ]]; then
    _heal_verdict_json
    verdict=$_heal_text
  else
    _heal_take_mode
  fi
  ((_heal_dry)) && mode=dry-run
  ((_heal_seq += 1)) || :
  _heal_encodable "$_heal_fact"
  _heal_json "$_heal_text"
  line="{\"v\":1,\"at\":$at,\"seq\":$_heal_seq,\"trigger\":\"$_heal_trigger\",\"fact\":\"$_heal_text\""
  _heal_encodable "${intent:0:4096}"
  _heal_json "$_heal_text"
  line+=",\"intent\":\"$_heal_text\",\"verdict\":$verdict,\"outcome\":\"$done\",\"duration_ms\":$duration"
  line+=",\"next_due\":$due,\"interval\":$interval,\"pid\":$BASHPID,\"library\":\"heal.sh\",\"version\":\"$_HEAL_VERSION\""
  _heal_policy_json
  line+=",\"policy\":$_heal_text,\"mode\":\"$mode\"}"
  local draft=$_heal_dir/.scratch/cycle.sh
  if ! _heal_scratch_ok || ! _heal_write "$draft" "$line"$'\n' || ! sync -- "$draft" 2>/dev/null ||
    ! _heal_rename "$draft" "$_heal_dir/cycle.json" "$line"$'\n'; then
    heal_log "the heartbeat cannot be written: $_heal_dir/cycle.json"
  fi
}

# Seconds of $1 milliseconds in their shortest spelling, in _heal_text.
_heal_short_time() {
  printf -v _heal_text '%d.%03d' "$(($1 / 1000))" "$(($1 % 1000))"
  while [[ $_heal_text == *.*0 ]]; do _heal_text=${_heal_text%0}; done
  _heal_text=${_heal_text%.}
}

# Detect, decide and the verdict as one line of JSON; nothing is spent and nothing written.
_heal_plan() {
  local verdict=null intent fact line mode=live
  _heal_measure "$1" "${@:5}"
  _heal_consider "$2"
  intent=$_heal_captured
  _heal_clock
  if [[ -z $intent ]]; then
    _heal_take_mode
  elif _heal_take_intent "$intent" "${HEAL_SCOPE-}"; then
    _heal_trigger=${HEAL_TRIGGER-}
    _heal_fleet_look look
    _heal_gather 1
    _heal_judge || :
    _heal_verdict_json
    verdict=$_heal_text
  else
    _heal_v_allow=0 _heal_v_guard=intent _heal_v_reason=$_heal_text _heal_v_earliest=''
    _heal_take_mode
    _heal_verdict_json
    verdict=$_heal_text
  fi
  ((_heal_dry)) && mode=dry-run
  _heal_encodable "$_heal_fact"
  _heal_json "$_heal_text"
  fact=$_heal_text
  _heal_encodable "$intent"
  _heal_json "$_heal_text"
  printf '{"fact":"%s","intent":"%s","verdict":%s,"mode":"%s"}\n' "$fact" "$_heal_text" "$verdict" "$mode"
}
