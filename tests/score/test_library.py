"""Rubrics by name: the shipped ones, and a folder of one's own."""

from pathlib import Path

import pytest

from callscope.errors import InvalidRubric, RubricNotFound
from callscope.pipeline import RubricSource
from services.score.library import SHIPPED, RubricLibrary


def own(folder: Path, name: str, rubric_id: str, title: str = "Ours") -> None:
    text = (SHIPPED / "general.yaml").read_text(encoding="utf-8")
    text = text.replace("id: general ", f"id: {rubric_id} ", 1)
    text = text.replace("title: General service", f"title: {title}", 1)
    (folder / name).write_text(text, encoding="utf-8")


def test_the_shipped_ones_are_known_by_id() -> None:
    assert [each.id for each in RubricLibrary().all()] == ["collections", "general", "sales"]


def test_a_mounted_one_is_added(tmp_path: Path) -> None:
    own(tmp_path, "any.yaml", "front-desk")
    library = RubricLibrary(tmp_path)
    assert len(library.all()) == 4
    assert library.get(RubricSource(name="front-desk")).title == "Ours"


def test_a_mounted_one_replaces_a_shipped_one_of_its_id(tmp_path: Path) -> None:
    own(tmp_path, "mine.yaml", "general", "Our general")
    library = RubricLibrary(tmp_path)
    assert library.get(RubricSource(name="general")).title == "Our general"
    assert len(library.all()) == 3


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("id: x\nversion: 1\n", encoding="utf-8")
    with pytest.raises(InvalidRubric, match=r"broken\.yaml has .*line 2: version"):
        RubricLibrary(tmp_path)


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    own(tmp_path, "a.yaml", "ours")
    own(tmp_path, "b.yaml", "ours")
    with pytest.raises(InvalidRubric, match=r"b\.yaml.*id ours too"):
        RubricLibrary(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRubric, match=r"image\.yaml cannot be read"):
        RubricLibrary(tmp_path)


@pytest.mark.parametrize("name", ["../general", "general.yaml", "", "GENERAL", "/etc/passwd"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(RubricNotFound):
        RubricLibrary().get(RubricSource(name=name))
