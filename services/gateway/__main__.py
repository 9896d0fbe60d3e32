"""The gateway as a process of its own: `python -m services.gateway`."""

from callscope.serving.server import serve
from services.gateway.servicer import build
from services.gateway.settings import GatewaySettings

__all__ = ["main"]


def main() -> None:
    """Run until SIGTERM.

    Raises:
        CallscopeError: it could not start.
    """
    settings = GatewaySettings.load()
    serve(build(settings), settings)


if __name__ == "__main__":
    main()
