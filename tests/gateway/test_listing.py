"""Calls are found by what their records say, on SQLite and on PostgreSQL alike."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import InvalidInput
from callscope.types import CallRecord
from services.gateway import database, listing
from services.gateway.archive import pack
from services.gateway.call import new_id
from services.gateway.erasure import Eraser
from services.gateway.index import BehaviorRow, DisclosureRow, TextRow, first_place
from services.gateway.journal import Journal
from services.gateway.ledger import Ledger
from services.gateway.query import CallQuery, PageQuery
from services.gateway.tables import UtcDateTime
from services.gateway.words import tsvector, wanted, words
from tests.gateway.records import behavior, disclosure, judged, record, said
from tests.gateway.test_ledger import new_call

MINE, OTHERS = "mine", "others"
_SENTENCES = (
    "Thank you for calling.",
    "I don't want this, you thank nobody!",
    "Refund, please, José: a follow-up.",
    "Mm-hmm.",
    "Straße 12, 日本語",
)


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    return Ledger(engine, str)


@pytest.fixture
def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, str)


class Calls:
    """Calls in the database, and beside it in memory."""

    def __init__(self, ledger: Ledger, journal: Journal) -> None:
        self.ledger, self.journal = ledger, journal
        self.known: dict[str, tuple[Mapping[str, str], str, CallRecord | None]] = {}

    def add(self, tenant: str = MINE, finished: bool = True, **content: Any) -> str:
        metadata = content.pop("metadata", {})
        started_at = content.pop("started_at", "2026-01-05T12:00:00Z")
        new = replace(new_call(), tenant=tenant, metadata=metadata, started_at=started_at)
        self.ledger.add(new)
        made = record(new.id, **content) if finished else None
        if made is not None:
            assert self.journal.finish(new.id, made, consumed="score")
        if tenant == MINE:
            self.known[new.id] = metadata, started_at, made
        return new.id

    def found(self, tenant: str = MINE, size: int = 9, **fields: Any) -> list[str]:
        """All that the query finds, page by page."""
        query, token, ids = CallQuery.read(fields), None, list[str]()
        while True:
            page = PageQuery.read(query, size, token)
            calls = self.ledger.page(tenant, page)
            ids += [call.id for call in calls[:size]]
            if len(calls) <= size:
                return ids
            token = page.token_after(ids[-1])


@pytest.fixture
def calls(ledger: Ledger, journal: Journal) -> Calls:
    return Calls(ledger, journal)


@pytest.mark.parametrize("few", [-1, listing.FEW])  # PostgreSQL begins elsewhere
def test_every_filter_and_all_pairs_of_them_find_what_a_reader_would(
    calls: Calls, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", few)
    source = random.Random(1)  # noqa: S311 - made-up calls
    for number in range(60):
        calls.add(
            tenant=source.choice((MINE, MINE, MINE, OTHERS)),
            finished=source.random() < 0.9,
            metadata={"agent": f"a-{source.randrange(3)}", "queue": source.choice("xy")},
            started_at=f"2026-01-{1 + number % 9:02}T23:30:00-01:00",
            rubric=source.choice(("general", "sales")),
            behaviors=tuple(_behaviors(source)),
            disclosures=tuple(_disclosures(source)),
            utterances=said(*source.choices(_SENTENCES, k=3)),
            **judged(source.choice((None, 20.0, 80.0)), *source.choice(((), ("unsure",)))),
        )
    singles: tuple[tuple[dict[str, Any], Callable[..., bool]], ...] = (
        ({"status": "queued"}, lambda _, __, r: r is None),
        ({"agent": "a-1"}, lambda facts, _, __: facts["agent"] == "a-1"),
        ({"queue": "x"}, lambda facts, _, __: facts["queue"] == "x"),
        ({"direction": "inbound"}, lambda *_: False),
        ({"since": "2026-01-04T00:00:00Z"}, lambda _, at, __: at >= "2026-01-03"),
        ({"until": "2026-01-06T00:30:00Z"}, lambda _, at, __: at < "2026-01-05"),
        ({"rubric": "sales"}, lambda _, __, r: r and r.provenance.rubric.id == "sales"),
        (
            {"behavior": "rapport", "outcome": "missed"},
            lambda _, __, r: _any(r, "rapport", lambda b: b.outcome == "missed"),
        ),
        (
            {"behavior": "rapport", "max_score": 40},
            lambda _, __, r: _any(r, "rapport", lambda b: b.score is not None and b.score <= 40),
        ),
        (
            {"disclosure": "recording", "disclosure_status": "delivered", "on_time": False},
            lambda _, __, r: r
            and any(
                d.disclosure == "recording" and d.status == "delivered" and d.on_time is False
                for d in r.disclosures
            ),
        ),
        ({"review_needed": True}, lambda _, __, r: r and r.review.needed),
        ({"review_needed": False}, lambda _, __, r: r and not r.review.needed),
        ({"min_overall": 50}, lambda _, __, r: r and (r.overall.score or 0) >= 50),
        ({"text": "JOSE"}, lambda _, __, r: r and "José" in _text(r)),
        ({"text": 'please "thank you"'}, lambda _, __, r: _has(r, "Thank you", "please")),
    )  # fmt: skip
    for one, passes_one in singles:
        for other, passes_other in singles:
            if set(one) & set(other) - set(one.items() & other.items()):
                continue
            expected = [
                call_id
                for call_id, known in sorted(calls.known.items(), reverse=True)
                if passes_one(*known) and passes_other(*known)
            ]
            assert calls.found(**one, **{k: v for k, v in other.items() if k not in one}) == (
                expected
            ), (one, other)
    assert calls.found() == sorted(calls.known, reverse=True)


def _behaviors(source: random.Random) -> list[Any]:
    chosen = source.choice(("delivered", "missed", "not_assessable"))
    score = {"delivered": 90.0, "missed": source.choice((10.0, 40.0)), "not_assessable": None}
    names = source.sample(("rapport", "discovery"), source.randrange(3))
    return [behavior(name, chosen, score[chosen]) for name in names]


def _disclosures(source: random.Random) -> list[Any]:
    return [disclosure("recording", "delivered", source.choice((True, False)))] * (
        source.random() < 0.5
    )


def _any(made: CallRecord | None, name: str, holds: Callable[[Any], bool]) -> bool:
    return made is not None and any(b.behavior == name and holds(b) for b in made.behaviors)


def _text(made: CallRecord) -> str:
    return " | ".join(utterance.text for utterance in made.utterances)


def _has(made: CallRecord | None, *texts: str) -> bool:
    return made is not None and all(text in _text(made) for text in texts)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dont", True),
        ("DON\u2019T", True),
        ('"follow up"', True),
        ("follow-up", True),
        ("strasse", True),
        ("日本語", True),
        ('"thank you"', True),
        ('"calling refund"', False),  # not of one utterance
        ('"you calling"', False),
        ("refunds", False),
        ("AND OR NOT NEAR", False),
        ("refund*", True),  # no operators, only words
        ('"refund', True),
        ("' OR 1=1 --", False),
    ],
)
def test_words_are_found_as_people_write_them(calls: Calls, text: str, found: bool) -> None:
    call_id = calls.add(utterances=said("Thank you for calling.", *_SENTENCES[2:], "don't"))
    assert calls.found(text=text) == ([call_id] if found else [])


def test_another_tenants_words_and_judgements_are_not_found(calls: Calls) -> None:
    theirs = calls.add(
        tenant=OTHERS,
        behaviors=(behavior("rapport", "missed", 1.0),),
        utterances=said("secret"),
        disclosures=(disclosure("recording", "missing", None),),
    )
    every: tuple[dict[str, Any], ...] = (
        {"text": "secret"}, {"behavior": "rapport"}, {"disclosure": "recording"}, {},
    )  # fmt: skip
    for fields in every:
        assert calls.found(**fields) == []
        assert calls.found(OTHERS, **fields) == [theirs]


def test_nothing_of_a_removed_call_is_left(calls: Calls, engine: sa.Engine, eraser: Eraser) -> None:
    kept = calls.add(utterances=said("refund please"))
    gone = calls.add(
        utterances=said("refund sesquipedalian"),
        behaviors=(behavior("rapport", "missed", 1.0),),
        disclosures=(disclosure("recording", "missing", None),),
    )
    eraser.erase(MINE, gone, "operator")
    assert calls.found(text="refund") == [kept]
    with engine.connect() as connection:
        for table in (BehaviorRow, DisclosureRow, TextRow):
            count = sa.select(sa.func.count()).where(table.call_id == gone)
            assert connection.scalar(count) == 0
        if engine.dialect.name == "sqlite":
            for content in connection.scalars(sa.text("SELECT block FROM call_words_data")):
                assert b"sesquipedalian" not in content


def test_calls_of_one_millisecond_have_places_of_their_own(calls: Calls, journal: Journal) -> None:
    first = new_id()
    same = [first[:-1] + digit for digit in "5a0f"]
    assert len({first_place(call_id) for call_id in same}) == 1
    for call_id in same:
        calls.ledger.add(replace(new_call(), id=call_id, tenant=MINE))
        journal.finish(call_id, record(call_id, utterances=said("hello")), consumed="score")
    assert sorted(calls.found(text="hello", size=1)) == sorted(same)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"outcome": "missed"}, "outcome needs behavior"),
        ({"max_score": 5}, "max_score needs behavior"),
        ({"on_time": True}, "on_time needs disclosure"),
        ({"behavior": "rapport", "min_score": 9, "max_score": 8}, "min_score is more than"),
        ({"min_overall": 101}, "min_overall"),
        ({"min_overall": float("nan")}, "min_overall"),
        ({"since": "yesterday"}, "since: .*RFC 3339"),
        ({"since": "0001-01-01T00:00:00+01:00"}, "since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "not before until"),
        ({"status": "lost"}, "status"),
        ({"behavior": "x'; --"}, "behavior"),
        ({"agent": "\x00"}, "agent"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_filter_that_cannot_be_right_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        CallQuery.read(fields)
    assert "docs/api.md" in raised.value.remedy


@pytest.mark.parametrize("text", ["", "!?", '""', " ".join(["word"] * 17)])
def test_a_search_without_words_or_with_too_many_is_refused(text: str) -> None:
    distinct = " ".join(f"{word}{at}" for at, word in enumerate(text.split()))
    with pytest.raises(InvalidInput, match="text: "):
        wanted(distinct if "word" in text else text)


def test_a_page_token_is_of_its_filters_only() -> None:
    ours = CallQuery.read({"agent": "a", "since": "2026-01-01T01:00:00+01:00"})
    same = CallQuery.read({"since": "2026-01-01T00:00:00Z", "agent": "a"})
    call_id = new_id()
    token = PageQuery.read(ours, 5, None).token_after(call_id)
    assert PageQuery.read(same, 5, token).before == call_id
    with pytest.raises(InvalidInput, match="other filters"):
        PageQuery.read(CallQuery.read({"agent": "b"}), 5, token)
    for damaged in (token[:-1], token + "AAAA", "", call_id, "é", "%"):
        with pytest.raises(InvalidInput, match="page_token"):
            PageQuery.read(ours, 5, damaged)


@given(st.text())
def test_any_text_becomes_plain_words_that_stay_as_they_are(text: str) -> None:
    plain = words(text)
    assert all(word.isalnum() for word in plain)
    assert words(" ".join(plain)) == plain


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "Zs"])), max_size=5))
def test_any_call_can_be_searched_for_its_own_words(texts: list[str]) -> None:
    vector = tsvector(texts)
    for text in texts:
        for word in words(text):
            assert f"'{word}':" in vector


def test_calls_and_records_of_before_are_found_after_migrating(url: str) -> None:
    engine = database.connect(url)
    database.migrate(engine, "0002")
    finished, waiting = sorted(new_id() for _ in range(2))
    made = record(
        finished,
        behaviors=(behavior("rapport", "missed", 10.0),),
        utterances=said("refund please"),
        **judged(10.0, "unsure"),
    )
    columns = (
        "id", "tenant", "lane", "status", "run", "blob", "sha256", "duration", "sample_rate",
        "channels", "codec", "started_at", "metadata", "options", "created_at", "updated_at",
    )  # fmt: skip
    calls = sa.table("calls", *(_typed(name) for name in columns))
    records = sa.table("records", *map(_typed, ("call_id", "version", "content", "created_at")))
    now = datetime.now(UTC)
    common = {
        "tenant": MINE, "lane": "live", "run": 1, "blob": "x", "sha256": "a" * 64, "duration": 2.0,
        "sample_rate": 8000, "channels": 2, "codec": "pcm", "options": {}, "created_at": now,
        "updated_at": now, "metadata": {"agent": "a-17", "queue": "billing"},
        "started_at": "2026-01-05T12:00:00+01:00",
    }  # fmt: skip
    with engine.begin() as connection:
        for call_id, status in ((finished, "done"), (waiting, "queued")):
            connection.execute(sa.insert(calls), {**common, "id": call_id, "status": status})
        connection.execute(
            sa.insert(records),
            {"call_id": finished, "version": 1, "content": pack(made), "created_at": now},
        )
    database.migrate(engine)
    found = Calls(Ledger(engine, str), Journal(engine, str)).found
    for fields in ({"text": "refund"}, {"behavior": "rapport", "outcome": "missed"},
                   {"review_needed": True}, {"max_overall": 10}):  # fmt: skip
        assert found(**fields) == [finished]
    both = [waiting, finished]
    day = ("2026-01-05T11:00:00Z", "2026-01-05T11:00:01Z")
    assert found(agent="a-17", since=day[0], until=day[1]) == both
    assert Ledger(engine, str).record(MINE, finished) == made
    engine.dispose()


def _typed(name: str) -> Any:
    kinds: dict[str, Any] = {
        "id": sa.Uuid(as_uuid=False), "call_id": sa.Uuid(as_uuid=False), "metadata": sa.JSON(),
        "options": sa.JSON(), "created_at": UtcDateTime(), "updated_at": UtcDateTime(),
    }  # fmt: skip
    return sa.column(name, kinds.get(name))
