#!/usr/bin/env bash
# Puts all that an installation needs into one folder, to be carried to a machine without a network:
# wheels (Callscope's own, and of everything it depends on), models, and install.sh.
#   tools/airgap/pack.sh FOLDER
# The machine there must have the same processor family, system and Python as this one. Environment:
#   PYTHON        the interpreter: python3.11
#   TORCH_INDEX   where builds of PyTorch without CUDA are; empty to take what pip's index has
#   EXTRAS        which parts: all, or some of gateway,transcribe,diarize,score
#   MODELS        their names; the required ones where it is empty
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -eq 1 ] || { grep '^#   tools' "$0" | cut -c 5- >&2; exit 2; }
mkdir -p "$1/wheels"
folder=$(cd "$1" && pwd)
torch_index=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3.11}" -m venv "$work/venv"
pip() {
    "$work/venv/bin/python" -m pip --disable-pip-version-check "$@"
}
pip install --quiet --upgrade pip --constraint constraints.txt
if [ -n "$torch_index" ]; then
    pip wheel --quiet --no-deps --retries 1 --timeout 10 --index-url "$torch_index" \
        --constraint constraints.txt --wheel-dir "$folder/wheels" torch 2> /dev/null \
        || echo "no PyTorch at $torch_index: it comes from pip's index, with CUDA's libraries" >&2
fi
pip wheel --quiet --find-links "$folder/wheels" --constraint constraints.txt \
    --wheel-dir "$folder/wheels" ".[${EXTRAS:-all}]"

pip install --quiet --no-index --find-links "$folder/wheels" callscope
read -ra models <<< "${MODELS:-}"
"$work/venv/bin/callscope" models pull --to "$folder/models" "${models[@]}"

cp constraints.txt LICENSE NOTICE tools/torchaudio_for_cpu.py tools/airgap/install.sh "$folder"
echo "${EXTRAS:-all}" > "$folder/extras"
echo "$folder: $(du -sh "$folder" | cut -f 1), $(ls "$folder/wheels" | wc -l) wheels" >&2
