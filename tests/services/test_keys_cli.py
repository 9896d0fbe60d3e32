"""`callscope keys`, as an operator uses it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callscope.errors import CallscopeError, InvalidInput, KeyNotFound
from services.__main__ import cli
from services.gateway import database
from services.gateway.access import Role
from services.gateway.keys import Keys


class Shell:
    """Runs the command with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._environment = {"CALLSCOPE_DATA_DIR": str(folder), "COLUMNS": "200"}
        self.url = f"sqlite:///{folder}/callscope.db"

    def keys(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["keys", *arguments], env=self._environment)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "data")


def test_a_key_lives_from_create_to_revoke(shell: Shell) -> None:
    made = shell.keys("create", "--tenant", "acme", "--role", "ingest", "--name", "the pbx")
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    engine = database.connect(shell.url)
    known = Keys(engine).recognize(secret)  # standard output is the key and nothing else
    assert (known.tenant, known.role, known.name) == ("acme", Role.INGEST, "the pbx")
    listed = shell.keys("list")
    assert known.id in listed.stdout
    assert "valid" in listed.stdout
    assert secret not in listed.stdout
    rotated = shell.keys("rotate", known.id, "--overlap", "1h")
    assert Keys(engine).recognize(rotated.stdout.strip()).id != known.id
    assert shell.keys("revoke", known.id).exit_code == 0
    assert "revoked" in shell.keys("list", "--tenant", "acme").stdout
    assert known.id not in shell.keys("list", "--tenant", "other").stdout
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("revoke", "nobodys"), KeyNotFound),
        (("rotate", "nobodys"), KeyNotFound),
        (("create", "--role", "ingest", "--name", "a", "--tenant", "A B"), InvalidInput),
    ],
)
def test_a_mistake_is_an_error_with_its_remedy(
    shell: Shell, arguments: tuple[str, ...], error: type[CallscopeError]
) -> None:
    ran = shell.keys(*arguments)
    assert type(ran.exception) is error
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "--role", "ingest", "--name", "a", "--expires", "soon"), "90d"),
        (("create", "--role", "king", "--name", "a"), "ingest"),
    ],
)
def test_a_wrong_option_says_what_is_right(
    shell: Shell, arguments: tuple[str, ...], says: str
) -> None:
    ran = shell.keys(*arguments)
    assert ran.exit_code == 2
    assert says in ran.stderr
