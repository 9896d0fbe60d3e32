"""The rubrics that are known by name: those that ship, and those of a mounted folder."""

from collections.abc import Mapping
from pathlib import Path

from callscope import rubric
from callscope.errors import InvalidRubric, RubricNotFound
from callscope.pipeline import RubricSource
from callscope.rubric import Rubric

__all__ = ["SHIPPED", "RubricLibrary"]

SHIPPED = Path(__file__).parent / "rubrics"


class RubricLibrary:
    """Rubrics by id, read once. A mounted rubric replaces the shipped one of the same id.

    Raises:
        InvalidRubric: a file does not hold together, or two mounted files share an id.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._rubrics = {**_read(SHIPPED), **(_read(folder) if folder is not None else {})}

    def all(self) -> tuple[Rubric, ...]:
        """Every rubric, in order of id."""
        return tuple(self._rubrics[name] for name in sorted(self._rubrics))

    def get(self, source: RubricSource) -> Rubric:
        """The rubric of that name, or the one that the YAML describes.

        Raises:
            RubricNotFound: no rubric of that name.
            InvalidRubric: the YAML does not hold together.
        """
        if source.yaml is not None:
            return rubric.load(source.yaml)
        found = self._rubrics.get(source.name or "")
        if found is None:
            known = ", ".join(sorted(self._rubrics))
            raise RubricNotFound(f"no rubric is named {source.name!r}; known are {known}")
        return found


def _read(folder: Path) -> Mapping[str, Rubric]:
    rubrics: dict[str, Rubric] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRubric(f"{path} cannot be read: {error}") from None
        loaded = rubric.load(text, str(path))
        if loaded.id in rubrics:
            raise InvalidRubric(f"{path}: another file of {folder} has the id {loaded.id} too")
        rubrics[loaded.id] = loaded
    return rubrics
