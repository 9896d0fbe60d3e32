"""How the agent talked: the numbers that rubrics give points for, and the moments behind them."""

from collections.abc import Collection, Iterator

from callscope.rubric import Metric
from callscope.types import Evidence, Metrics, ParticipantMetrics, Polarity, Role, Utterance
from services.score.evidence import quote_words
from services.score.reading import Reading

__all__ = ["describe", "evidence", "value"]

SHOWN = 3  # moments of one kind
CUSTOMERS_MINUTE = "per minute of the customer's speech"


def value(metric: Metric, metrics: Metrics) -> float | None:
    """A metric's value for the agent; None where the call does not have it."""
    agent, customer = _of(metrics, Role.AGENT), _of(metrics, Role.CUSTOMER)
    if agent is None or customer is None:
        return None
    match metric:
        case "interruptions_per_minute":
            return _rate(agent.interruptions, customer.talk)
        case "backchannels_per_minute":
            return _rate(agent.backchannels, customer.talk)
        case "response_latency":
            return agent.response_latency
        case "talk_share":
            return agent.talk_share


def describe(metric: Metric, number: float) -> str:
    """A metric's value in words."""
    match metric:
        case "interruptions_per_minute":
            return _often(number, "interruptions", "of the customer")
        case "backchannels_per_minute":
            return _often(number, "backchannels", "such as “mm-hmm”")
        case "response_latency":
            return f"answers after {number:.1f} s in the median"
        case "talk_share":
            return f"talks {number:.0%} of the time that either does"


def _often(rate: float, what: str, which: str) -> str:
    return f"{rate:.1f} {what} {CUSTOMERS_MINUTE}" if rate > 0 else f"no {what} {which}"


def evidence(measured: Collection[Metric], metrics: Metrics, reading: Reading) -> list[Evidence]:
    """The agent's interruptions and signs of listening, quoted, where they are measured."""
    moments: list[tuple[int, str, Polarity]] = []
    if "interruptions_per_minute" in measured:
        by_agent = [each for each in metrics.interruptions if each.by is Role.AGENT]
        moments += [(i.utterance, "interruption", Polarity.AGAINST) for i in by_agent[:SHOWN]]
    if "backchannels_per_minute" in measured:
        nods = [each for each in metrics.backchannels if each.by is Role.AGENT]
        moments += [(nod.utterance, "backchannel", Polarity.FOR) for nod in nods[:SHOWN]]
    return list(_quotes(moments, {each.index: each for each in reading.utterances}))


def _quotes(
    moments: list[tuple[int, str, Polarity]], utterances: dict[int, Utterance]
) -> Iterator[Evidence]:
    for index, label, polarity in moments:
        utterance = utterances.get(index)
        if utterance is not None and utterance.words:
            yield quote_words(index, utterance.words, label, 1.0, polarity)


def _of(metrics: Metrics, role: Role) -> ParticipantMetrics | None:
    return next((each for each in metrics.participants if each.role is role), None)


def _rate(count: int | None, seconds: float | None) -> float | None:
    return 60 * count / seconds if count is not None and seconds else None
