"""The diarize service as a process: `callscope diarize`, `python -m services.diarize`."""

from callscope.serving.server import serve
from services.diarize.servicer import build
from services.diarize.settings import DiarizeSettings

__all__ = ["main"]


def main() -> None:
    """Run until SIGTERM, by the environment's settings."""
    settings = DiarizeSettings.load()
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
