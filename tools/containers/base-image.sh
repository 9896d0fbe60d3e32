#!/bin/sh
# Makes docker.io/library/python:3.11-slim-bookworm from Debian's packages, for machines that reach
# a Debian mirror but no image registry. As root; needs debootstrap and podman.
#   tools/containers/base-image.sh [MIRROR]
set -eu

image=docker.io/library/python:3.11-slim-bookworm
if podman image exists "$image"; then
    exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,python3-pip,python3-venv \
    bookworm "$root" "${1:-http://deb.debian.org/debian}" >&2
ln -s /usr/bin/python3.11 "$root/usr/local/bin/python"
rm -rf "$root/var/cache/apt/archives" "$root/var/lib/apt/lists"
tar -C "$root" -c . | podman import --change 'CMD ["python"]' - "$image"
