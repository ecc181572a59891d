# shellcheck shell=bash disable=SC2034,SC2154 # the parts of heal.sh share their variables
# Text and numbers as files and events spell them. Each function answers in _heal_text or _heal_num,
# because a command substitution would cost a fork. All of it expects LC_ALL=C: characters are bytes.

_heal_text='' _heal_num=0

# Words to standard error, for people.
heal_log() {
  local _heal_when _heal_words="$*" LC_ALL=C
  printf -v _heal_when '%(%Y-%m-%dT%H:%M:%S%z)T' -1
  # It may hold text of others, and no terminal shall take that for a command.
  _heal_words=${_heal_words//[$'\x01'-$'\x08'$'\x0b'-$'\x1f'$'\x7f']/?}
  _heal_words=${_heal_words//$'\xc2'[$'\x80'-$'\x9f']/?}
  printf '%s %s: %s\n' "$_heal_when" "${NAME:-heal.sh}" "$_heal_words" >&2
}

# Whether $1 is valid UTF-8.
_heal_is_utf8() {
  [[ $1 != *[^$'\x01'-$'\x7f']* ]] && return 0
  local cont=$'[\x80-\xbf]' one two three
  one=$'^([\x01-\x7f]|[\xc2-\xdf]'"$cont"
  two=$'|\xe0[\xa0-\xbf]'"$cont"$'|[\xe1-\xec\xee\xef]'"$cont$cont"$'|\xed[\x80-\x9f]'"$cont"
  three=$'|\xf0[\x90-\xbf]'"$cont$cont"$'|[\xf1-\xf3]'"$cont$cont$cont"$'|\xf4[\x80-\x8f]'"$cont$cont"')*$'
  [[ $1 =~ $one$two$three ]]
}

# $1 with each byte that is not valid UTF-8 shown as ‹xx›: JSON cannot carry it.
_heal_encodable() {
  _heal_text=$1
  _heal_is_utf8 "$1" && return 0
  local rest=$1 out='' head byte size
  while [[ -n $rest ]]; do
    head=${rest%%[^$'\x01'-$'\x7f']*}
    out+=$head
    rest=${rest:${#head}}
    [[ -n $rest ]] || break
    for size in 2 3 4 0; do
      ((size)) && ((${#rest} >= size)) && _heal_is_utf8 "${rest:0:size}" && break
    done
    if ((size)); then
      out+=${rest:0:size}
      rest=${rest:size}
    else
      _heal_byte "${rest:0:1}"
      printf -v byte '‹%02x›' "$_heal_num"
      out+=$byte
      rest=${rest:1}
    fi
  done
  _heal_text=$out
}

# The number of the one byte $1.
_heal_byte() {
  printf -v _heal_num '%d' "'$1"
  ((_heal_num &= 255)) || :
}

# $1 as the inside of a JSON string.
_heal_json() {
  _heal_text=$1
  [[ $_heal_text == *[\"\\$'\x01'-$'\x1f']* ]] || return 0
  local bs=$'\\' q='"' c code
  _heal_text=${_heal_text//"$bs"/"$bs$bs"}
  _heal_text=${_heal_text//"$q"/"$bs$q"}
  [[ $_heal_text == *[$'\x01'-$'\x1f']* ]] || return 0
  _heal_text=${_heal_text//$'\n'/"${bs}n"}
  _heal_text=${_heal_text//$'\t'/"${bs}t"}
  _heal_text=${_heal_text//$'\r'/"${bs}r"}
  _heal_text=${_heal_text//$'\b'/"${bs}b"}
  _heal_text=${_heal_text//$'\f'/"${bs}f"}
  while [[ $_heal_text == *[$'\x01'-$'\x1f']* ]]; do
    c=${_heal_text#"${_heal_text%%[$'\x01'-$'\x1f']*}"}
    c=${c:0:1}
    _heal_byte "$c"
    printf -v code '\\u%04x' "$_heal_num"
    _heal_text=${_heal_text//"$c"/"$code"}
  done
}

# $1 with every byte that matches the bracket expression $2 as %XX.
_heal_percent() {
  local rest=$1 pattern=$2 out='' head code
  _heal_text=$1
  # shellcheck disable=SC2053 # a pattern it is
  [[ $1 == *$pattern* ]] || return 0
  while [[ -n $rest ]]; do
    # shellcheck disable=SC2295 # a pattern it is
    head=${rest%%$pattern*}
    out+=$head
    rest=${rest:${#head}}
    [[ -n $rest ]] || break
    _heal_byte "${rest:0:1}"
    printf -v code '%%%02X' "$_heal_num"
    out+=$code
    rest=${rest:1}
  done
  _heal_text=$out
}

# Undo %XX; 1 if a % stands alone or the byte would be a NUL.
_heal_unpercent() {
  _heal_text=$1
  [[ $1 == *%* ]] || return 0
  local rest=$1 out='' byte
  while [[ $rest == *%* ]]; do
    out+=${rest%%%*}
    rest=${rest#*%}
    [[ ${rest:0:2} == [0-9A-F][0-9A-F] && ${rest:0:2} != 00 ]] || return 1
    printf -v byte '%b' "\\x${rest:0:2}"
    out+=$byte
    rest=${rest:2}
  done
  _heal_text=$out$rest
}

# Strict patterns of the contract. Nothing else may come near arithmetic. (Not as extended patterns, which
# cost ten times as much.)
_heal_is_digits() { [[ -n $1 && ${#1} -le $2 && $1 != *[!0-9]* && ($1 == 0 || $1 != 0*) ]]; }
_heal_is_epoch() { [[ -n $1 && ${#1} -le 11 && $1 != *[!0-9]* && ($1 == 0 || $1 != 0*) ]]; }
_heal_is_count() { [[ -n $1 && ${#1} -le 6 && $1 != *[!0-9]* && ($1 == 0 || $1 != 0*) ]]; }
_heal_is_positive() { [[ ${#1} -le 6 && $1 == [1-9]* && $1 != *[!0-9]* ]]; }
_heal_is_seconds() { [[ -n $1 && ${#1} -le 9 && $1 != *[!0-9]* && ($1 == 0 || $1 != 0*) ]]; }
_heal_is_decimal() {
  [[ $1 == *.* ]] || {
    _heal_is_count "$1"
    return
  }
  local whole=${1%%.*} fraction=${1#*.}
  [[ -n $fraction && ${#fraction} -le 18 && $fraction != *[!0-9]* ]] && _heal_is_count "$whole"
}

# Millionths of the decimal $1, which is known to match; digits after the sixth are cut.
_heal_micro() {
  local whole=${1%%.*} fraction=000000
  [[ $1 == *.* ]] && fraction=${1#*.}000000
  _heal_num=$((whole * 1000000 + 10#${fraction:0:6}))
}

# The decimal of $1 millionths, always with six places.
_heal_decimal() { printf -v _heal_text '%d.%06d' "$(($1 / 1000000))" "$(($1 % 1000000))"; }

# Milliseconds of the seconds $1 (a decimal), for timeouts.
_heal_millis() {
  _heal_micro "$1"
  _heal_num=$((_heal_num / 1000))
}

# The scope's file name: safe bytes as they are, others %XX, long ones hashed.
_heal_scope_file() {
  local plain='[A-Za-z0-9_=,@:+.-]' kept
  [[ ${#1} -le 180 && $1 != *[^A-Za-z0-9_=,@:+.-]* && $1 != .* ]] && _heal_text=$1 && return 0
  _heal_percent "$1" "[^${plain:1:-1}]"
  [[ $_heal_text == .* ]] && _heal_text=%2E${_heal_text:1}
  ((${#_heal_text} > 180)) || return 0
  kept=${_heal_text:0:100}
  [[ ${kept:98} == *%* ]] && kept=${kept%\%*}
  _heal_hash "$1" || return 1
  _heal_text=$kept%~${_heal_hashes[0]:0:32}
}

# Whether $1 can be the file name of a scope.
_heal_is_scope_file() {
  [[ -n $1 && ${#1} -le 180 && $1 != .* && $1 != *[^A-Za-z0-9_=,@:+.%~-]* ]] || return 1
  local rest=$1
  [[ $rest == ?*%~* ]] && {
    [[ ${#rest} -gt 34 && ${rest: -34:2} == %~ && ${rest: -32} != *[^0-9a-f]* ]] || return 1
    rest=${rest:0:${#rest}-34}
  }
  [[ $rest != *~* ]] || return 1
  while [[ $rest == *%* ]]; do
    rest=${rest#*%}
    [[ $rest == [0-9A-F][0-9A-F]* ]] || return 1
  done
}

# Check an intent or a scope ($1 says which); answers why not in _heal_text.
_heal_is_intent() {
  local what=$1 text=$2 head other code control=$'[\x01-\x1f\x7f]'
  _heal_text="$what is empty"
  [[ -n $text ]] || return 1
  _heal_text="$what is not valid UTF-8"
  _heal_is_utf8 "$text" || return 1
  _heal_text="$what is ${#text} bytes long, more than 1024"
  ((${#text} <= 1024)) || return 1
  # shellcheck disable=SC2295 # a pattern it is
  head=${text%%$control*} other=${text%%$'\xc2'[$'\x80'-$'\x9f']*}
  if ((${#head} < ${#text} || ${#other} < ${#text})); then
    if ((${#head} < ${#other})); then
      _heal_byte "${text:${#head}:1}"
    else
      _heal_byte "${text:${#other}+1:1}"
    fi
    printf -v code 'U+%04X' "$_heal_num"
    _heal_text="$what holds the control character $code"
    return 1
  fi
  _heal_text="$what begins or ends with a space"
  [[ $text != ' '* && $text != *' ' ]]
}
