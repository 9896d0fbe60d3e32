"""From what is asked for to SQL: the ids of a page of calls.

The joins are such that every filter has an index to begin with, in the order of the list, and
each call at most one row in every table; which index to begin with is the database's choice.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from services.gateway.index import BehaviorRow, DisclosureRow, TextRow, cut, first_place
from services.gateway.query import CallQuery, PageQuery
from services.gateway.tables import CallRow
from services.gateway.words import fts5_query, tsquery

__all__ = ["matching_calls", "page_of_calls"]

_FTS5 = sa.table("call_words", sa.column("rowid", sa.Integer), sa.column("call_words", sa.Text))
"""SQLite's index over `TextRow`, filled by triggers; `rowid` is the place."""


def page_of_calls(tenant: str, page: PageQuery, dialect: str) -> sa.Select[CallRow]:
    """The tenant's calls on the page, and one more if there is one, newest first."""
    # Found by indexes alone; the rows of those shown are fetched afterwards.
    found = _found(tenant, page, dialect).subquery()
    return sa.select(CallRow).join(found, found.c.id == CallRow.id).order_by(found.c.rank.desc())


def matching_calls(tenant: str, query: CallQuery, dialect: str) -> sa.Select[str]:
    """The ids of all the tenant's calls that the query lets pass, in no order."""
    source, conditions, _ = _matching(tenant, query, dialect)
    return sa.select(CallRow.id).select_from(source).where(*conditions)


def _found(tenant: str, page: PageQuery, dialect: str) -> sa.Select[str, object]:
    source, conditions, rank = _matching(tenant, page.query, dialect)
    if page.before is not None:
        by_id = rank is CallRow.id
        conditions.append(rank < (page.before if by_id else _place(page.before)))
    return (
        sa.select(CallRow.id, rank.label("rank"))
        .select_from(source)
        .where(*conditions)
        .order_by(rank.desc())
        .limit(page.size + 1)
    )


def _matching(
    tenant: str, query: CallQuery, dialect: str
) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]], sa.SQLColumnExpression[Any]]:
    """Where to look, what to look for, and by which column the newest are first."""
    source: sa.FromClause = CallRow.__table__
    conditions = [CallRow.tenant == tenant, *_facets(query)]
    rank: sa.SQLColumnExpression[Any] = CallRow.id
    if query.disclosure is not None:
        source = source.join(DisclosureRow, DisclosureRow.call_id == CallRow.id)
        conditions += _disclosure(tenant, query)
    if query.behavior is not None:
        source = source.join(BehaviorRow, BehaviorRow.call_id == CallRow.id)
        conditions += _behavior(tenant, query)
    if query.wanted is not None:
        source = source.join(TextRow, TextRow.call_id == CallRow.id)
        conditions.append(TextRow.tenant == tenant)
        if dialect == "sqlite":
            source = source.join(_FTS5, _FTS5.c.rowid == TextRow.place)
            conditions.append(_FTS5.c.call_words.op("MATCH")(fts5_query(query.wanted)))
            rank = _FTS5.c.rowid
        else:
            conditions.append(TextRow.words.op("@@")(sa.cast(tsquery(query.wanted), TSQUERY())))
    return source, conditions, rank


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


def _behavior(tenant: str, query: CallQuery) -> list[sa.ColumnElement[bool]]:
    conditions = [BehaviorRow.tenant == tenant, BehaviorRow.behavior == query.behavior]
    if query.outcome is not None:
        conditions.append(BehaviorRow.outcome == query.outcome)
    return conditions + _between(BehaviorRow.score, query.min_score, query.max_score)


def _disclosure(tenant: str, query: CallQuery) -> list[sa.ColumnElement[bool]]:
    conditions = [DisclosureRow.tenant == tenant, DisclosureRow.disclosure == query.disclosure]
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
