"""The transcribe service as a process: `callscope transcribe`, `python -m services.transcribe`."""

from callscope.serving.server import serve
from services.transcribe.servicer import build
from services.transcribe.settings import TranscribeSettings

__all__ = ["main"]


def main() -> None:
    """Run until SIGTERM, by the environment's settings."""
    settings = TranscribeSettings.load()
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
