#!/usr/bin/env bash
# The servers that the tests run against and that are no Python packages: PostgreSQL and Prometheus
# (with promtool). On Debian and as root they are installed; elsewhere, what is missing is named,
# and its tests are skipped. Nothing is started: the tests start servers of their own.
set -euo pipefail

missing=()
command -v pg_ctl > /dev/null || compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' > /dev/null \
    || missing+=(postgresql)
command -v prometheus > /dev/null && command -v promtool > /dev/null || missing+=(prometheus)
[ ${#missing[@]} -eq 0 ] && exit

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "not installed, so their tests are skipped: ${missing[*]}" >&2
    exit
fi
echo "Installing ${missing[*]} for the tests ..."
# A run level without services keeps Debian from starting them.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
if ! { apt-get update -qq && apt-get install -qq --no-install-recommends "${missing[@]}"; } \
    > /dev/null 2>&1; then
    echo "apt-get could not install them; their tests are skipped" >&2
fi
