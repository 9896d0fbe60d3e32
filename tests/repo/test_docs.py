"""The documentation says what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from callscope import rubric
from callscope.acts import AgentAct, Cue, CustomerAct
from callscope.errors import error_classes
from callscope.types import Outcome
from callscope.v1 import gateway_pb2

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tests/data/README.md"])


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def table_rows(page: str) -> Iterator[tuple[str, ...]]:
    """The cells of every table row of a page."""
    for line in text_of(page).splitlines():
        if line.startswith("| ") and not set(line) <= set("|- "):
            yield tuple(cell.strip() for cell in line.strip("|").split("|"))


def code_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_rubric_shown_is_sound() -> None:
    (shown,) = code_blocks("rubrics.md", "yaml")
    assert rubric.problems(shown) == ()
    loaded = rubric.load(shown)
    assert loaded.id == "front_desk"
    for behavior in loaded.behaviors:  # as the page warns
        idle = [rule.points for rule in behavior.answers] + [m.points for m in behavior.metrics]
        assert sum(idle) < loaded.thresholds.partial, behavior.id


def test_every_act_is_explained() -> None:
    explained = {row[0].strip("`") for row in table_rows("rubrics.md")}
    assert {*AgentAct, *Cue} <= explained
    assert [act for act in CustomerAct if f"`{act}`" not in text_of("rubrics.md")] == []


def test_the_model_card_says_what_it_must_not_be_used_for() -> None:
    card = (ROOT / "training" / "MODEL_CARD.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert {"What it was trained on", "How well it does", "Whole calls"} <= {*sections}
    assert sections[-2:] == ["What was not measured", "What it must not be used for"]


def test_every_outcome_is_explained() -> None:
    explained = {row[0].strip("`") for row in table_rows("concepts.md")}
    assert set(Outcome) <= explained


def test_every_error_is_listed_with_its_statuses() -> None:
    listed = {row[:3] for row in table_rows("api.md") if len(row) == 4}
    real = {(f"`{e.code}`", str(e.http_status), e.grpc_status.name) for e in error_classes()}
    assert listed - {("code", "HTTP", "gRPC")} == real


def test_every_rpc_of_the_gateway_is_listed() -> None:
    text = text_of("api.md")
    methods = gateway_pb2.DESCRIPTOR.services_by_name["Gateway"].methods
    assert [method.name for method in methods if f"`{method.name}`" not in text] == []


def test_python_shown_compiles() -> None:
    blocks = code_blocks("api.md", "python")
    assert len(blocks) == 1
    compile(blocks[0], "docs/api.md", "exec")
