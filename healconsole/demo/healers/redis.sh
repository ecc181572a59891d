# shellcheck shell=bash
# The application's own way to its Redis, over bash's /dev/tcp: `redis COMMAND [ARGUMENT...]`.
# Prints an integer or a string; fails, with nothing printed, on anything else within two seconds.

# shellcheck disable=SC2016 # $ is RESP's mark of a string
redis() {
  local url=${HEAL_REDIS_URL#redis://} password address reply fd word
  password=${url%@*} address=${url##*@} address=${address%%/*}
  password=${password#*:}
  { exec {fd}<>"/dev/tcp/${address%:*}/${address##*:}"; } 2>/dev/null || return 1
  {
    printf '*2\r\n$4\r\nAUTH\r\n$%s\r\n%s\r\n' "${#password}" "$password"
    printf '*%s\r\n' "$#"
    for word; do printf '$%s\r\n%s\r\n' "${#word}" "$word"; done
  } >&"$fd"
  if ! { IFS= read -r -t 2 reply <&"$fd" && [[ $reply == +OK* ]] && IFS= read -r -t 2 reply <&"$fd"; }; then
    exec {fd}>&-
    return 1
  fi
  reply=${reply%$'\r'}
  if [[ $reply == \$[0-9]* ]]; then
    IFS= read -r -t 2 reply <&"$fd"
    reply=" ${reply%$'\r'}"
  fi
  exec {fd}>&-
  case $reply in
    :* | ' '*) printf '%s' "${reply:1}" ;;
    *) return 1 ;;
  esac
}
