"""The score service as a process: `callscope score`, `python -m services.score`."""

from callscope.serving.server import serve
from services.score.servicer import build
from services.score.settings import ScoreSettings

__all__ = ["main"]


def main() -> None:
    """Run until SIGTERM, by the environment's settings."""
    settings = ScoreSettings.load()
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
