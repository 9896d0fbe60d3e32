"""Make torchaudio importable beside a torch without CUDA.

PyPI's torchaudio is built for CUDA. Beside a CPU build of torch its compiled part fails to load,
and with it `import torchaudio`, which pyannote.audio and transformers need for its pure-Python
parts (resampling, Kaldi filter banks). Without the compiled part the import works. Beside a CUDA
build of torch nothing is touched. Safe to run again.
"""

from importlib.metadata import files
from pathlib import Path

import torch


def main() -> None:
    """Remove torchaudio's compiled libraries where this torch cannot load them."""
    if torch.version.cuda is not None:
        return
    for file in files("torchaudio") or ():
        if file.match("torchaudio/lib/*.so"):
            Path(file.locate()).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
