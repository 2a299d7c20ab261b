#!/usr/bin/env bash
# Lists, creates and revokes API keys over GraphQL, with curl and jq.
#
#   keys.sh list
#   keys.sh create NAME ENVIRONMENT PERMISSION... > new.key
#   keys.sh revoke ID REASON
#
# KEYDESK_SERVER is where Keydesk is, KEYDESK_MANAGEMENT_KEY a management key with the scope keys.write. The operations are the files of
# graphql/operations, which you can copy along. `create` prints the secret on stdout, and everything else on stderr.
set -euo pipefail
: "${KEYDESK_SERVER:?is where Keydesk is, such as https://keys.example.com}"
: "${KEYDESK_MANAGEMENT_KEY:?is a management key with the scope keys.write}"
operations=$(dirname "$0")/../../graphql/operations

# run OPERATION VARIABLES: its root field. The management key is in no argument, where other users of the machine could read it.
run() {
  jq --null-input --rawfile query "$operations/$1.graphql" --argjson variables "$2" '{$query, $variables}' |
    curl --silent --show-error --fail-with-body --max-time 30 --retry 3 --retry-connrefused \
      --header @<(printf 'Authorization: Bearer %s\n' "$KEYDESK_MANAGEMENT_KEY") \
      --header 'Content-Type: application/json' --data-binary @- "$KEYDESK_SERVER/graphql" |
    jq 'if .errors then (.errors[0].message | halt_error(1)) else .data[] end'
}

# change OPERATION INPUT: the payload of a mutation. A problem ends the script.
change() {
  run "$1" "$(jq --null-input --argjson input "$2" '{$input}')" |
    jq 'if .message then ([.fields[]? | "\(.field): \(.message)"] | if . == [] then null else join("\n") end) // .message
        | halt_error(1) else . end'
}

list() {
  local after=null page
  while :; do
    page=$(run keys/list "{\"first\": 100, \"after\": $after}")
    jq --raw-output '.apiKeys.nodes[] | [.id, .prefix + "…", .status, .environment.name, .name] | @tsv' <<<"$page"
    [ "$(jq .apiKeys.pageInfo.hasNextPage <<<"$page")" = true ] || break
    after=$(jq .apiKeys.pageInfo.endCursor <<<"$page")
  done
}

# The idempotency key makes it safe that curl sends the request again, and that you do: set ONCE to the same text then.
create() {
  local once=${ONCE:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')} name=$1 environment=$2 made
  shift 2
  made=$(change keys/create "$(jq --null-input --arg name "$name" --arg environment "$environment" --arg idempotencyKey "$once" \
    '{$name, $environment, $idempotencyKey, permissions: $ARGS.positional}' --args -- "$@")")
  jq --raw-output '.apiKey.id' <<<"$made" >&2
  jq --exit-status --raw-output '.secret // error("It was created before; only the first answer had its secret.")' <<<"$made"
}

revoke() {
  change keys/revoke "$(jq --null-input --arg id "$1" --arg reason "$2" '{$id, $reason}')" |
    jq --raw-output '[.apiKey.id, .apiKey.status] | @tsv'
}

case "${1:-}" in
  list) list ;;
  create) create "${@:2}" ;;
  revoke) revoke "${@:2}" ;;
  *) sed -n '4,6s/^# *//p' "$0" >&2; exit 2 ;;
esac
