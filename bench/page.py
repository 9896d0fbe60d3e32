"""The tables of docs/benchmarks.md, from the files in bench/results: `python -m bench.page`.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->` and shows `NAME.json`.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import long, profile, table

__all__ = ["PAGE", "RESULTS", "main", "written"]

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
RESULTS = Path(__file__).parent / "results"

_RENDERERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "long": long.render,
    "profile": profile.render,
}
_TABLE = re.compile(r"^<!-- ([\w-]+) -->\n.*?^<!-- /\1 -->$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Write the tables anew."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")


def written(page: str, results: Path) -> str:
    """The page with each table as the results give it.

    Raises:
        FileNotFoundError: a table has no results.
    """

    def shown(found: re.Match[str]) -> str:
        name = found[1]
        kept = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        rendered = _RENDERERS.get(name, table.render)(kept)
        return f"<!-- {name} -->\n\n{rendered}\n\n<!-- /{name} -->"

    return _TABLE.sub(shown, page)


if __name__ == "__main__":
    main()
