#!/usr/bin/env bash
# Send a recording, wait for its record, print the scores: examples/send_and_read.sh call.wav
# Needs curl and python3 (to read JSON).
set -euo pipefail

url=${CALLSCOPE_URL:-http://localhost:8080}
file=${1:?usage: send_and_read.sh RECORDING}
key=(${CALLSCOPE_KEY:+--header "Authorization: Bearer $CALLSCOPE_KEY"})

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
get() { curl --silent --show-error --fail-with-body "${key[@]}" "$url$1"; }

# The answer comes when the recording is stored durably. The same file again is the same call.
call=$(curl --silent --show-error --fail-with-body "${key[@]}" \
  --form "audio=@$file" \
  --form 'metadata={"agent": "a-17", "queue": "billing"}' \
  "$url/v1/calls")
id=$(field id <<<"$call")
echo "call $id"

# Server-sent events until it is over; the last one says how it ended.
last=$(curl --silent --show-error --no-buffer "${key[@]}" "$url/v1/calls/$id/events" |
  sed -n 's/^data: //p' | tail -1)
if [[ $(field status <<<"$last") != done ]]; then
  echo "failed: $(field problem <<<"$last")" >&2
  exit 1
fi

get "/v1/calls/$id/transcript?format=txt"
get "/v1/calls/$id/record" | python3 -c '
import json, sys
record = json.load(sys.stdin)
for each in record["behaviors"]:
    print(each["behavior"], each["outcome"], each["score"])
print("overall", record["overall"]["score"])'
