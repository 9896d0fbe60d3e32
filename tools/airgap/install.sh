#!/bin/sh
# Installs Callscope from the folder that this file is in, without a network, and verifies the models.
#   install.sh TARGET     for instance /opt/callscope
# Environment:
#   PYTHON   the interpreter: python3.11
set -eu

[ $# -eq 1 ] || { echo "install.sh TARGET" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
"${PYTHON:-python3.11}" -m venv "$1"
"$1/bin/python" -m pip --isolated --disable-pip-version-check install --quiet --no-index \
    --find-links "$here/wheels" --constraint "$here/constraints.txt" "callscope[$(cat "$here/extras")]"
if "$1/bin/python" -c 'import torch' 2> /dev/null; then # a part that needs it is installed
    "$1/bin/python" "$here/torchaudio_for_cpu.py"
fi
"$1/bin/python" -m pip --isolated --disable-pip-version-check check
"$1/bin/callscope" models verify --in "$here/models"
echo "installed in $1; set CALLSCOPE_MODELS_DIR=$here/models, or copy that folder elsewhere" >&2
