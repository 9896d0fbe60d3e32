"""The commands of docs/backup.md, run: a backup while recordings come in, a loss, a restore."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.gateway.conftest import noise
from tests.gateway.engines import Engines, Gate, eventually
from tests.gateway.processes import ROOT, GatewayProcess

CALLS = 6


def commands(heading: str) -> tuple[str, str]:
    """How the page backs up and restores what the section is about."""
    page = (ROOT / "docs/backup.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    backup, restore = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    return backup, restore


def run(script: str, **variables: object) -> None:
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    subprocess.run(["sh", "-euc", script], env=environment, check=True)


def send(gateway: GatewayProcess, number: int) -> str:
    answer = gateway.client.post("/v1/calls", files={"audio": noise(0.5, seed=number)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def contents(gateway: GatewayProcess, call_id: str) -> Any:
    """A call's record and the digest of its audio."""
    record = gateway.client.get(f"/v1/calls/{call_id}/record")
    audio = gateway.client.get(f"/v1/calls/{call_id}/audio")
    assert (record.status_code, audio.status_code) == (200, 200)
    return record.json(), hashlib.sha256(audio.content).hexdigest()


def lose_and_restore(
    gateways: Sequence[GatewayProcess],
    engines: Engines,
    scripts: tuple[str, str],
    variables: dict[str, object],
    lose: Callable[[], object],
) -> None:
    """Back up while calls are done, at work, and come in; lose everything; compare afterwards."""
    before, after = gateways
    backup, restore = scripts
    before.start()
    done = [send(before, number) for number in range(CALLS)]
    for call_id in done:
        eventually(partial(before.is_done, call_id), 30)
    expected = {call_id: contents(before, call_id) for call_id in done}
    engines.behaviors["score"] = gate = Gate()
    unfinished = [send(before, number) for number in range(CALLS, 2 * CALLS)]
    assert gate.reached.wait(30)

    run(backup, **variables)
    later = send(before, 2 * CALLS)
    before.end(signal.SIGKILL)
    shutil.rmtree(before.data)
    lose()
    gate.opened.set()
    after.data.mkdir()
    run(restore, **variables)

    after.start()
    for call_id in unfinished:
        eventually(partial(after.is_done, call_id), 60)
        contents(after, call_id)
    assert {call_id: contents(after, call_id) for call_id in done} == expected
    assert after.client.get(f"/v1/calls/{later}").status_code == 404
    assert send(after, 2 * CALLS) != later


def test_sqlite_and_a_folder(engines: Engines, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    gateways = [GatewayProcess(folder, engines.targets) for _ in range(2)]
    (tmp_path / "backup").mkdir()
    try:
        lose_and_restore(
            gateways,
            engines,
            commands("SQLite and a folder"),
            {"DATA": folder, "BACKUP": tmp_path / "backup"},
            lambda: None,
        )
    finally:
        for each in gateways:
            each.close()


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="needs pg_dump, of PostgreSQL")
def test_postgresql_and_a_folder(engines: Engines, fresh_postgresql: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    gateways = [
        GatewayProcess(folder, engines.targets, database_url=fresh_postgresql) for _ in range(2)
    ]
    (tmp_path / "backup").mkdir()

    def drop_everything() -> None:
        engine = sa.create_engine(fresh_postgresql)
        with engine.begin() as connection:
            for schema in ("public", "dbos"):
                connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()

    try:
        lose_and_restore(
            gateways,
            engines,
            commands("PostgreSQL"),
            {
                "DATA": folder,
                "BACKUP": tmp_path / "backup",
                "DATABASE": fresh_postgresql.replace("+psycopg", ""),
            },
            drop_everything,
        )
    finally:
        for each in gateways:
            each.close()
