"""How commands that analyze are stopped."""

import signal

__all__ = ["kill_interrupts"]


def kill_interrupts() -> None:
    """Let `kill` end this process as Ctrl-C does: with no thread, port or half record left behind.

    Called before the engines are imported, which takes seconds in which it may come.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
