"""Whether a rubric is good is asked once in a while, not for every recording."""

import pytest

from callscope.errors import RubricNotFound
from callscope.pipeline import RubricSource
from services.gateway.vetting import Vetting

NAMED = RubricSource(name="collections", yaml=None)
WRITTEN = RubricSource(name=None, yaml="title: mine")


class Service:
    """Knows some rubrics, and remembers what it was asked."""

    def __init__(self) -> None:
        self.known = {"collections"}
        self.asked: list[RubricSource] = []
        self.time = 100.0

    def check(self, rubric: RubricSource) -> None:
        self.asked.append(rubric)
        if rubric.name is not None and rubric.name not in self.known:
            raise RubricNotFound(f"there is no rubric {rubric.name}")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def vetting(service: Service) -> Vetting:
    return Vetting(service.check, seconds=60, now=lambda: service.time)


def test_a_good_name_is_asked_about_once_a_minute(service: Service, vetting: Vetting) -> None:
    for _ in range(3):
        vetting.check(NAMED)
    assert service.asked == [NAMED]
    service.time += 60
    vetting.check(NAMED)
    assert service.asked == [NAMED, NAMED]


def test_a_name_that_is_gone_is_refused_after_a_minute(service: Service, vetting: Vetting) -> None:
    vetting.check(NAMED)
    service.known.clear()
    service.time += 60
    with pytest.raises(RubricNotFound):
        vetting.check(NAMED)


def test_a_bad_name_is_asked_about_each_time(service: Service, vetting: Vetting) -> None:
    service.known.clear()
    for _ in range(2):
        with pytest.raises(RubricNotFound):
            vetting.check(NAMED)
    service.known.add("collections")
    vetting.check(NAMED)
    assert len(service.asked) == 3


def test_a_text_is_asked_about_each_time(service: Service, vetting: Vetting) -> None:
    for _ in range(2):
        vetting.check(WRITTEN)
    assert service.asked == [WRITTEN, WRITTEN]
