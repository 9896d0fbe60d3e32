#!/usr/bin/env bash
# Builds the services' images with buildah, models inside, as docker-compose.yml names them. As root.
#   tools/containers/build-images.sh [SERVICE...]     all four unless named
# Environment:
#   BUILD_ARGS   further arguments of `buildah build`, for instance a secret pip.conf
set -euo pipefail
cd "$(dirname "$0")/../.."

python_image=docker.io/library/python:3.11-slim-bookworm
podman image exists "$python_image" || podman pull --quiet "$python_image" > /dev/null 2>&1 \
    || tools/containers/base-image.sh

read -ra build_args <<< "${BUILD_ARGS:-}"
services=("$@")
[ ${#services[@]} -gt 0 ] || services=(gateway transcribe diarize score)
for service in "${services[@]}"; do
    image=callscope/$service:offline
    target=(--target offline)
    if [ "$service" = gateway ]; then # it has no models
        image=callscope/gateway
        target=()
    fi
    echo "building $image" >&2
    # --format docker: OCI images carry no HEALTHCHECK
    buildah build --pull-never --layers --format docker "${build_args[@]}" "${target[@]}" \
        --build-arg REVISION="$(git rev-parse --short HEAD)" \
        --tag "$image" --file "services/$service/Dockerfile" .
done
