#!/usr/bin/env bash
# Starts docker-compose.yml with podman, puts a call into its bucket, and checks record, metrics and
# dashboards (tests/e2e/test_compose.py). As root; needs buildah, podman, catatonit, podman-compose,
# debootstrap where Python's image cannot be pulled, and the Python environment of `make test` as
# first on PATH.
#   tools/containers/check-compose.sh [--keep] [SERVICE...]
# Named services only; --keep leaves them running.
# An image that cannot be pulled is replaced by a stand-in of the same protocol, made from Debian's
# and PyPI's packages. Environment:
#   BUILD_ARGS   further arguments of `buildah build`, for instance a secret pip.conf
set -euo pipefail
cd "$(dirname "$0")/../.."

keep=
if [ "${1:-}" = --keep ]; then
    keep=1
    shift
fi
for program in buildah podman catatonit podman-compose python; do
    command -v "$program" > /dev/null || { echo "$program is not on PATH" >&2; exit 2; }
done
read -ra build_args <<< "${BUILD_ARGS:-}"
here=tools/containers
log=$(mktemp)

finish() {
    status=$?
    if [ $status -ne 0 ]; then
        tail -40 "$log" >&2
        podman-compose logs --tail 20 2>&1 | tail -150 >&2
        echo "failed after $(since "$began"); the images' log: $log" >&2
    else
        rm -f "$log"
    fi
    if [ -z "$keep" ]; then
        podman-compose down --volumes > /dev/null 2>&1
    fi
    exit $status
}
trap finish EXIT

since() { # MOMENT
    local seconds=$(($(date +%s) - $1))
    echo "$((seconds / 60)) min $((seconds % 60)) s"
}

build() { # NAME DOCKERFILE CONTEXT
    echo "building $1" >&2
    # --format docker: OCI images carry no HEALTHCHECK
    buildah build --pull-never --layers --format docker "${build_args[@]}" \
        --tag "$1" --file "$2" "$3" >> "$log" 2>&1
}

present() { # IMAGE: here, or to be had
    podman image exists "$1" || podman pull --quiet "$1" >> "$log" 2>&1
}

began=$(date +%s)
services=("$@")
if [ ${#services[@]} -eq 0 ]; then
    services=(gateway transcribe diarize score postgres minio buckets prometheus grafana)
fi
own=()
for service in "${services[@]}"; do
    case $service in
        gateway | transcribe | diarize | score) own+=("$service") ;;
    esac
done
if [ ${#own[@]} -gt 0 ]; then
    "$here/build-images.sh" "${own[@]}" 2>&1 | tee -a "$log" | grep --line-buffered '^building ' >&2
fi

available=()
standins=()
absent=()
for service in "${services[@]}"; do
    image=$(python -c 'import sys; from tests.repo.deployment import compose
print(compose()["services"][sys.argv[1]]["image"])' "$service")
    standin=$here/standins/${service/buckets/minio}
    if [[ $image == callscope/* ]] || present "$image"; then
        label=$(podman image inspect --format '{{index .Labels "callscope.standin"}}' "$image")
        [ -z "$label" ] || standins+=("$service")
    elif [ -d "$standin" ]; then
        build "$image" "$standin/Dockerfile" "$standin"
        standins+=("$service")
    else
        echo "no image and no stand-in for $service: left out" >&2
        absent+=("$service")
        continue
    fi
    available+=("$service")
done
built=$(since "$began")

up=$(date +%s)
# The gateway by itself: podman 4.3 starts nothing that waits for a container (buckets) which has
# ended and had waited for another. It is restarted until its database is there.
first=()
for service in "${available[@]}"; do
    [ "$service" = gateway ] || first+=("$service")
done
podman-compose up --detach --no-build "${first[@]}"
if [ ${#first[@]} -lt ${#available[@]} ]; then
    podman-compose up --detach --no-build --no-deps gateway
fi
CALLSCOPE_COMPOSE=1 python -m pytest -p no:cacheprovider -v --no-header tests/e2e/test_compose.py

echo "
checked in $(since "$began"): images $built, from up to the last check $(since "$up")
  ran:        ${available[*]}
  stand-ins:  ${standins[*]:-none}
  left out:   ${absent[*]:-none}
  commit:     $(git describe --always --dirty)" >&2
