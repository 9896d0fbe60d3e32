"""Rubrics as commands name them: one that is known by its name, or a file of one's own."""

from pathlib import Path

from callscope import rubric
from callscope.errors import InvalidRubric, RubricNotFound
from callscope.pipeline import RubricSource

__all__ = ["rubric_source", "text_of"]


def rubric_source(name: str) -> RubricSource:
    """The rubric of that name, or what the file holds.

    Raises:
        RubricNotFound: it looks like a file, and there is none.
        InvalidRubric: the file does not hold together.
    """
    path = Path(name)
    if not path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
        return RubricSource(name=name)
    text = text_of(path)
    rubric.load(text, name)  # whoever gets the text alone could not say which file is wrong
    return RubricSource(yaml=text)


def text_of(file: Path) -> str:
    """The text of a rubric's file.

    Raises:
        RubricNotFound: it cannot be read.
        InvalidRubric: it is no UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise RubricNotFound(f"{file}: {error.strerror}", remedy="Check the path.") from None
    except UnicodeDecodeError as error:
        raise InvalidRubric(
            f"{file}: byte {error.start} is no UTF-8", remedy="Save the file as UTF-8."
        ) from None
