"""Gateways of two versions on one database: the newer's tables serve the older as well."""

import itertools
import pkgutil
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from services.gateway import database
from services.gateway.migrations import versions

REVISIONS = sorted(module.name[:4] for module in pkgutil.iter_modules(versions.__path__))
STEPS = list(itertools.pairwise(REVISIONS))


@pytest.fixture
def empty(url: str) -> Iterator[sa.Engine]:
    engine = database.connect(url)
    yield engine
    engine.dispose()


def columns(engine: sa.Engine) -> dict[str, dict[str, sa.Column[object]]]:
    found = sa.MetaData()
    found.reflect(engine)
    return {
        name: {each.name: each for each in table.columns} for name, table in found.tables.items()
    }


@pytest.mark.parametrize(("older", "newer"), STEPS)
def test_what_the_older_version_writes_the_newer_tables_take(
    empty: sa.Engine, older: str, newer: str
) -> None:
    database.migrate(empty, older)
    before = columns(empty)
    database.migrate(empty, newer)
    after = columns(empty)
    for table in before.keys() - {"alembic_version"}:
        if table.startswith("call_words"):  # SQLite's own, of its search index
            continue
        for name, column in before[table].items():
            assert name in after[table], f"{newer} removes {table}.{name}"
            loosened = after[table][name].nullable or not column.nullable
            assert loosened, f"{newer} asks for {table}.{name}, which {older} may leave out"
        for name in after[table].keys() - before[table].keys():
            added = after[table][name]
            filled = added.nullable or added.server_default is not None
            assert filled, f"{newer} adds {table}.{name}, which {older} does not write"
