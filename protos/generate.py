"""Write the gRPC stubs of every proto into a folder (default: the repository root).

`python protos/generate.py [FOLDER]`. Proto path = Python path, so the generated imports need no
patching. The stubs are committed; tests/contract regenerates them and compares.
"""

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent


def generate(folder: Path) -> None:
    """Generate `callscope/v1/*_pb2.py`, `.pyi` and `*_pb2_grpc.py` under `folder`."""
    protos = sorted(str(path) for path in ROOT.glob("callscope/v1/*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
            f"--grpc_python_out={folder}",
            *protos,
        ]
    )
    if status != 0:
        raise SystemExit(status)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent)
