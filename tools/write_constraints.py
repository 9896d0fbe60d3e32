"""Write constraints.txt: the exact version of everything installed in this environment."""

from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
HEADER = """\
# The exact versions that Callscope is tested with, for make, CI and every Dockerfile. They bind
# only what is installed; pyproject.toml says what that is. Written by `make constraints`.
"""


def main() -> None:
    """Write the versions, without local parts: 2.13.0+cpu satisfies ==2.13.0, not the reverse."""
    pins = {
        f"{distribution.name.lower().replace('_', '-')}=={distribution.version.partition('+')[0]}"
        for distribution in distributions()
        if distribution.name != "callscope"
    }
    TARGET.write_text(HEADER + "\n".join(sorted(pins)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
