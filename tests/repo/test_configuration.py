import re
from pathlib import Path

import pytest

from callscope.errors import InvalidSetting
from callscope.serving.settings import ServiceSettings
from services.configuration import SETTINGS, page
from services.gateway.settings import GatewaySettings

ROOT = Path(__file__).parents[2]


def test_the_committed_page_describes_the_settings_as_they_are() -> None:
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_services_own_variable_wins_over_the_shared_one(
    kind: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSCOPE_THREADS", "4")
    assert kind.load().threads == 4
    monkeypatch.setenv(f"CALLSCOPE_{kind.service.upper()}_THREADS", "2")
    assert kind.load().threads == 2
    assert kind.load(threads=1).threads == 1


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_bad_value_is_refused_with_the_variables_name(
    kind: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLSCOPE_PORT", "seven")
    with pytest.raises(InvalidSetting, match="CALLSCOPE_PORT"):
        kind.load()


def test_a_bad_value_is_refused_with_the_variable_that_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLSCOPE_GATEWAY_HTTP_PORT", "abc")
    with pytest.raises(InvalidSetting, match="CALLSCOPE_GATEWAY_HTTP_PORT: "):
        GatewaySettings.load()


def test_settings_named_in_the_docs_exist() -> None:
    known = {
        f"{prefix}{name.upper()}"
        for kind in SETTINGS
        for prefix in ("CALLSCOPE_", f"CALLSCOPE_{kind.service.upper()}_")
        for name in kind.model_fields
    }
    pages = " ".join(each.read_text(encoding="utf-8") for each in (ROOT / "docs").rglob("*.md"))
    named = set(re.findall(r"`(CALLSCOPE_[A-Z0-9_]+[A-Z0-9])(?:=[^`]*)?`", pages))
    assert len(named) > 8
    assert named <= known


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLSCOPE_GATEWAY_AUDIO_DAYS", "")
    monkeypatch.setenv("CALLSCOPE_GATEWAY_THREADS", "")
    monkeypatch.setenv("CALLSCOPE_THREADS", "3")
    settings = GatewaySettings.load()
    assert settings.audio_days is None
    assert settings.threads == 3
