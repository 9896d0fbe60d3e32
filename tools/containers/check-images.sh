#!/usr/bin/env bash
# Runs each service's image as production does: nobody's user, no capabilities, nothing writable but
# /tmp and the gateway's /data, no network. Waits until its HEALTHCHECK passes, and has it end on
# SIGTERM. As root, with images that tools/containers/build-images.sh built.
#   tools/containers/check-images.sh [SERVICE...]
# Writes sizes and seconds to bench/results/images.json (of all four).
set -euo pipefail
cd "$(dirname "$0")/../.."

services=("$@")
[ ${#services[@]} -gt 0 ] || services=(gateway transcribe diarize score)
rows=()
for service in "${services[@]}"; do
    image=callscope/$service:offline
    more=()
    if [ "$service" = gateway ]; then
        image=callscope/gateway
        more=(--volume /data --env CALLSCOPE_GATEWAY_AUTH=none)
    fi
    name=callscope-check-$service
    podman rm --force --volumes "$name" > /dev/null 2>&1 || true
    began=$(date +%s)
    podman run --detach --name "$name" --network none --read-only --cap-drop ALL \
        --security-opt no-new-privileges --tmpfs /tmp:mode=1777 "${more[@]}" "$image" > /dev/null
    until podman healthcheck run "$name" > /dev/null 2>&1; do
        if [ "$(podman inspect --format '{{.State.Running}}' "$name")" != true ] \
            || [ $(($(date +%s) - began)) -gt 180 ]; then
            podman logs --tail 20 "$name" >&2
            podman rm --force --volumes "$name" > /dev/null
            exit 1
        fi
        sleep 1
    done
    ready=$(($(date +%s) - began))
    test "$(podman exec "$name" id -u)" = 10001
    if podman exec "$name" touch /opt/callscope/x 2> /dev/null; then
        echo "$service can write to its own code" >&2
        exit 1
    fi
    podman stop --time 60 "$name" > /dev/null
    status=$(podman inspect --format '{{.State.ExitCode}}' "$name")
    podman rm --volumes "$name" > /dev/null
    test "$status" = 0
    size=$(podman image inspect --format '{{.Size}}' "$image")
    base=$(podman image inspect --format '{{.Size}}' docker.io/library/python:3.11-slim-bookworm)
    echo "$service: $((size / 1000000)) MB, of which $((base / 1000000)) base; ready in $ready s" >&2
    rows+=("\"$service\": {\"megabytes\": $((size / 1000000)), \"of_which_base\": $((base / 1000000)), \"seconds_to_ready\": $ready}")
done
if [ $# -eq 0 ]; then
    (IFS=, && echo "{${rows[*]}}") | python3 -m json.tool > bench/results/images.json
fi
