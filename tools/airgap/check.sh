#!/usr/bin/env bash
# Packs, then installs and analyzes the sample call where there is no network at all: in a network
# namespace of its own, with an empty home. As root, on Linux with iproute2.
#   tools/airgap/check.sh [FOLDER]     a folder that pack.sh filled; it makes one otherwise
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=${1:-}
if [ -z "$folder" ]; then
    folder=$work/pack
    tools/airgap/pack.sh "$folder"
fi
python=$(command -v "${PYTHON:-python3.11}")
began=$(date +%s)
mkdir "$work/home"
unshare --net env --ignore-environment \
    HOME="$work/home" PATH=/usr/bin:/bin PYTHON="$python" OMP_WAIT_POLICY=PASSIVE \
    sh -euc '
        test "$(/sbin/ip -oneline link | wc -l)" = 1 # loopback, and no way out
        /sbin/ip link set lo up # the parts talk to each other over it
        "$1/install.sh" "$2/callscope"
        CALLSCOPE_MODELS_DIR="$1/models" "$2/callscope/bin/callscope" analyze \
            tests/data/sample/stereo.flac --json "$2/record.json"
    ' - "$folder" "$work" >&2
"$python" - "$work/record.json" << 'END'
import json, sys

record = json.load(open(sys.argv[1]))
assert {each["role"] for each in record["utterances"]} == {"agent", "customer"}
assert {each["stage"] for each in record["provenance"]["models"]} == {"transcribe", "diarize", "score"}
print(f"a record of {len(record['utterances'])} utterances and {len(record['behaviors'])} behaviors")
END
echo "installed and analyzed without a network in $(($(date +%s) - began)) s" >&2
