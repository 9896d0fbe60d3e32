"""From what is asked for to SQL: the ids of a page of calls.

The joins are such that every filter has an index to begin with, in the order of the list, and
each call at most one row in every table. PostgreSQL chooses where to begin by what it has counted;
SQLite is told. One thing PostgreSQL is told as well: it knows about how many calls have the words
of a search, and not what it costs to look into each call's words on the way down the list. So what
few calls have is looked up in the index of words first.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute, Session

from callscope.types import DisclosureStatus, Outcome
from services.gateway.index import (
    MARKED,
    BehaviorRow,
    DisclosureRow,
    TextRow,
    cut,
    first_place,
)
from services.gateway.query import CallQuery, PageQuery
from services.gateway.tables import CallRow
from services.gateway.words import fts5_query, mark, tsquery

__all__ = ["FEW", "matching_calls", "page_of_calls", "read_page"]

FEW = 5_000
"""Calls with the words of a search, up to which PostgreSQL looks them up first: all of them take
about as long as walking down the list to the 50th of so many."""

_FEW_DAYS = 7  # of a time range that is looked up before anything else
_MOST_DAYS = 40  # of a time range that a search is narrowed by
_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""No call's id is greater. With a bound SQLite walks down an index for the first page, as for those
after it; without one it sorts all that two filters let pass."""
_FTS5 = sa.table("call_words", sa.column("rowid", sa.Integer), sa.column("call_words", sa.Text))
"""SQLite's index over `TextRow`, filled by triggers; `rowid` is the place."""


def read_page(session: Session, tenant: str, page: PageQuery) -> Sequence[CallRow]:
    """The tenant's calls on the page, and one more if there is one, newest first."""
    dialect = session.get_bind().dialect.name
    few = dialect == "postgresql" and _are_few(session, tenant, page.query)
    return session.scalars(page_of_calls(tenant, page, dialect, words_first=few)).all()


def page_of_calls(
    tenant: str, page: PageQuery, dialect: str, *, words_first: bool = False
) -> sa.Select[CallRow]:
    """The statement for that; with `words_first`, PostgreSQL begins with the search."""
    # Found by indexes alone; the rows of those shown are fetched afterwards.
    found = _found(tenant, page, dialect, words_first).subquery()
    return sa.select(CallRow).join(found, found.c.id == CallRow.id).order_by(found.c.rank.desc())


def _are_few(session: Session, tenant: str, query: CallQuery) -> bool:
    """Whether few calls have the words looked for, as far as PostgreSQL has counted."""
    if query.wanted is None:
        return False
    plan = session.execute(
        sa.text("EXPLAIN (FORMAT JSON) SELECT 1 FROM call_texts WHERE words @@ (:search)::tsquery"),
        {"search": tsquery(query.wanted, list(_wanted_marks(tenant, query)))},
    ).scalar_one()
    return bool(plan[0]["Plan"]["Plan Rows"] <= FEW)


def matching_calls(tenant: str, query: CallQuery, dialect: str) -> sa.Select[str]:
    """The ids of all the tenant's calls that the query lets pass, in no order."""
    source, conditions, _ = _matching(tenant, query, dialect)
    return sa.select(CallRow.id).select_from(source).where(*conditions)


def _found(tenant: str, page: PageQuery, dialect: str, words_first: bool) -> sa.Select[str, object]:
    source, conditions, rank = _matching(tenant, page.query, dialect, words_first)
    by_place = rank is _FTS5.c.rowid
    if page.before is not None:
        conditions.append(rank < (_place(page.before) if by_place else page.before))
    elif dialect == "sqlite" and not by_place:
        conditions.append(rank <= _LAST)
    return (
        sa.select(CallRow.id, rank.label("rank"))
        .select_from(source)
        .where(*conditions)
        .order_by(rank.desc())
        .limit(page.size + 1)
    )


def _matching(
    tenant: str, query: CallQuery, dialect: str, words_first: bool = False
) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]], sa.SQLColumnExpression[Any]]:
    """Where to look, what to look for, and by which column the newest are first."""
    source: sa.FromClause = CallRow.__table__
    conditions = [CallRow.tenant == tenant, *_facets(query)]
    if query.disclosure is not None:
        named = DisclosureRow.disclosure == query.disclosure
        source = source.join(DisclosureRow, sa.and_(DisclosureRow.call_id == CallRow.id, named))
        conditions += [DisclosureRow.tenant == tenant, *_disclosure(query)]
    if query.behavior is not None:
        named = BehaviorRow.behavior == query.behavior
        source = source.join(BehaviorRow, sa.and_(BehaviorRow.call_id == CallRow.id, named))
        conditions += [BehaviorRow.tenant == tenant, *_behavior(query)]
    if query.wanted is None:
        return source, conditions, _order(query) if dialect == "sqlite" else CallRow.id
    marks = list(_wanted_marks(tenant, query))
    if dialect != "sqlite":
        wanted = sa.cast(tsquery(query.wanted, marks), TSQUERY())
        searched = (TextRow.tenant == tenant, TextRow.words.op("@@")(wanted))
        if words_first:
            hits = sa.select(TextRow.call_id).where(*searched).cte("hits")
            hits = hits.prefix_with("MATERIALIZED")
            return source.join(hits, hits.c.call_id == CallRow.id), conditions, CallRow.id
        source = source.join(TextRow, TextRow.call_id == CallRow.id)
        return source, [*conditions, *searched], CallRow.id
    source = source.join(TextRow, TextRow.call_id == CallRow.id)
    conditions.append(TextRow.tenant == tenant)
    source = source.join(_FTS5, _FTS5.c.rowid == TextRow.place)
    search = fts5_query(query.wanted, marks)
    # SQLite looks for no index inside a CASE: FTS5 alone says which calls to look at, newest first.
    rest = sa.case((sa.and_(*conditions), 1), else_=0) == 1
    return source, [_FTS5.c.call_words.op("MATCH")(search), rest], _FTS5.c.rowid


def _order(query: CallQuery) -> sa.SQLColumnExpression[Any]:
    """One of the columns that hold the call's id: SQLite likes to begin with the one it sorts by.

    PostgreSQL counts what is in its tables, and needs no help.
    """
    if 0 < len(_days(query)) <= _FEW_DAYS:
        # Sorted afterwards: with the sign, no index is in this order.
        return sa.UnaryExpression(CallRow.__table__.c.id, operator=sa.sql.operators.custom_op("+"))
    if query.agent is not None or query.queue is not None:
        return CallRow.id
    if query.disclosure is not None:
        return DisclosureRow.call_id
    return CallRow.id if query.behavior is None else BehaviorRow.call_id


def _days(query: CallQuery) -> list[str]:
    """The days of the time range, in UTC; none where it is open."""
    if query.since is None or query.until is None:
        return []
    first = datetime.fromisoformat(query.since).date()
    days = (datetime.fromisoformat(query.until).date() - first).days + 1
    return [str(first + timedelta(days=at)) for at in range(min(days, _MOST_DAYS + 1))]


def _wanted_marks(tenant: str, query: CallQuery) -> Iterator[list[str]]:
    """For each filter that `services.gateway.index.marks` has a fact for, the marks that pass."""
    facets = {name: getattr(query, name) for name in MARKED if name != "tenant"}
    for name, value in {"tenant": tenant, **facets}.items():
        if value is not None:
            yield [mark(name, str(cut(value) if isinstance(value, str) else value))]
    if query.behavior is not None:
        outcomes = list(Outcome) if query.outcome is None else [query.outcome]
        yield [mark("behavior", query.behavior, outcome) for outcome in outcomes]
    if query.disclosure is not None:
        status = query.disclosure_status
        statuses = list(DisclosureStatus) if status is None else [status]
        yield [mark("disclosure", query.disclosure, status) for status in statuses]
    days = _days(query)
    if 0 < len(days) <= _MOST_DAYS:
        yield [mark("day", day) for day in days]


def _place(call_id: str) -> sa.ColumnElement[int]:
    """Where FTS5 has the call, or would have it, should it have been deleted meanwhile."""
    known = sa.select(TextRow.place).where(TextRow.call_id == call_id).scalar_subquery()
    return sa.func.coalesce(known, first_place(call_id))


def _facets(query: CallQuery) -> list[sa.ColumnElement[bool]]:
    equal = {
        CallRow.status: query.status,
        CallRow.agent: cut(query.agent),
        CallRow.queue: cut(query.queue),
        CallRow.direction: cut(query.direction),
        CallRow.rubric: query.rubric,
        CallRow.review_needed: query.review_needed,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if query.since is not None:
        conditions.append(CallRow.began_at >= datetime.fromisoformat(query.since))
    if query.until is not None:
        conditions.append(CallRow.began_at < datetime.fromisoformat(query.until))
    return conditions + _between(CallRow.overall, query.min_overall, query.max_overall)


def _behavior(query: CallQuery) -> list[sa.ColumnElement[bool]]:
    conditions = _between(BehaviorRow.score, query.min_score, query.max_score)
    if query.outcome is not None:
        conditions.append(BehaviorRow.outcome == query.outcome)
    return conditions


def _disclosure(query: CallQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.disclosure_status is not None:
        conditions.append(DisclosureRow.status == query.disclosure_status)
    if query.on_time is not None:
        conditions.append(DisclosureRow.on_time == query.on_time)
    return conditions


def _between(
    column: InstrumentedAttribute[float | None], least: float | None, most: float | None
) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if least is not None:
        conditions.append(column >= least)
    if most is not None:
        conditions.append(column <= most)
    return conditions
