#!/usr/bin/env bash
# Starts docker-compose.yml with podman, puts a call into its bucket, and checks record, metrics and
# dashboards (tests/e2e/test_compose.py). As root; needs buildah, podman, catatonit, podman-compose, the
# Python environment of `make test` as first on PATH.
#   tools/containers/check-compose.sh [SERVICE...]     these services only; --keep leaves it running
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
read -ra build_args <<< "${BUILD_ARGS:-}"
here=tools/containers

build() { # NAME DOCKERFILE CONTEXT [ARGUMENT...]
    local name=$1 file=$2 context=$3
    shift 3
    echo "building $name" >&2
    # --format docker: OCI images carry no HEALTHCHECK
    buildah build --pull-never --layers --format docker "${build_args[@]}" "$@" \
        --tag "$name" --file "$file" "$context"
}

present() { # IMAGE: here, or to be had
    podman image exists "$1" || podman pull --quiet "$1" >&2 2> /dev/null
}

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
"$here/build-images.sh" "${own[@]}" > /dev/null # all four where none is named

available=()
for service in "${services[@]}"; do
    image=$(python -c 'import sys; from tests.repo.deployment import compose
print(compose()["services"][sys.argv[1]]["image"])' "$service")
    if [[ $image != callscope/* ]] && ! present "$image"; then
        standin=$here/standins/${service/buckets/minio}
        if [ ! -d "$standin" ]; then
            echo "no image and no stand-in for $service: left out" >&2
            continue
        fi
        build "$image" "$standin/Dockerfile" "$standin"
    fi
    available+=("$service")
done

finish() {
    status=$?
    if [ $status -ne 0 ]; then
        podman-compose logs --tail 20 2>&1 | tail -150 >&2
    fi
    if [ -z "$keep" ]; then
        podman-compose down --volumes > /dev/null 2>&1
    fi
    exit $status
}
trap finish EXIT
began=$(date +%s)
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
CALLSCOPE_COMPOSE=1 python -m pytest -p no:cacheprovider tests/e2e/test_compose.py
echo "from up to the last check: $(($(date +%s) - began)) s" >&2
