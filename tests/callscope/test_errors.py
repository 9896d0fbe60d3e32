"""Every error class: one name, one status on each door, a remedy; and it survives pickling."""

import pickle
import re
from collections import Counter

import pytest
from grpc import StatusCode

from callscope import errors
from callscope.errors import CallscopeError, error_classes

CLASSES = tuple(error_classes())


def test_codes_are_unique() -> None:
    counts = Counter(kind.code for kind in CLASSES)
    assert [code for code, count in counts.items() if count > 1] == []


def test_every_class_is_public_and_the_list_is_sorted() -> None:
    names = [kind.__name__ for kind in CLASSES]
    assert sorted([*names, "error_classes"]) == errors.__all__


@pytest.mark.parametrize("kind", CLASSES)
class TestEveryClass:
    def test_has_a_status_on_every_door(self, kind: type[CallscopeError]) -> None:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
        assert kind.grpc_status is not StatusCode.OK
        assert 400 <= kind.http_status < 600
        assert kind.exit_status in (errors.EXIT_BAD_INPUT, errors.EXIT_SERVICE_FAILED)

    def test_says_what_to_do(self, kind: type[CallscopeError]) -> None:
        assert kind("broken").remedy.endswith(".")
        assert kind("broken", remedy="Mend it.").remedy == "Mend it."

    def test_survives_pickling(self, kind: type[CallscopeError]) -> None:
        error = kind("broken", remedy="Mend it.", details={"file": "a.wav"}, retry_after=2.5)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(again) is kind
        assert vars(again) == vars(error)
        assert str(again) == "broken"

    def test_stands_in_the_drawing_with_its_status(self, kind: type[CallscopeError]) -> None:
        """The docstring's tree is what people read, so it has to be true."""
        drawing = errors.__doc__ or ""
        line = next(
            (each for each in drawing.splitlines() if re.search(rf"\b{kind.__name__}\b", each)),
            None,
        )
        assert line is not None
        grpc, http = re.search(r"([A-Z_]{5,})?\W*?(\d{3})?\)?$", line).groups()  # type: ignore[union-attr]
        base = kind.__base__
        assert isinstance(base, type)
        assert grpc in (kind.grpc_status.name, None)
        assert http in (str(kind.http_status), None)
        if grpc is None:  # a line without its own status inherits
            assert kind.grpc_status is base.grpc_status  # type: ignore[attr-defined]
            assert kind.http_status == base.http_status  # type: ignore[attr-defined]
