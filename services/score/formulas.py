"""Formulas: sympathy that anybody would be told, fillers, recaps, hedges, and "I just told you".

Rules, not heads: what makes a formula is its wording, and few formulas make up most of them.
"""

import re

from callscope.tokens import tokens
from services.score import lexicon

__all__ = ["announces_recap", "is_filler", "is_hedged", "is_stock_phrase", "was_said"]

SUMMED_UP = 4  # words after "to sum up" that say something

_BOTHER = r"(?:inconveniences?|trouble|hassle|bother|frustration|confusion|upset)"
_IT = r"(?:that|this|it)"
_FOR_ANY = rf"for (?:(?:the|any|all|that|this) )*{_BOTHER}"
_HAVING = r"you(?:'re| are) (?:having|facing|experiencing)(?: \w+)? (?:issues?|problems?|trouble)\b"
_WE = r"(?:i'm|i am|im|we're|we are|i|we)"
_PHRASE = "|".join(
    (
        r"(?:(?:so|very|really|truly|terribly|awfully|ever|just|extremely|most) )*sorry "
        rf"(?:to (?:hear|learn)(?: about)? (?:(?:that )?(?={_HAVING})|{_IT})|about {_IT}|{_FOR_ANY}"
        r"|for your loss)",
        r"(?:(?:do|can|quite|completely|totally|fully|certainly|really) )*"
        r"(?:understand|appreciate|hear) (?:your|the)"
        r" (?:frustrations?|concerns?|position|situation|disappointment|feelings?|upset)",
        rf"(?:(?:do|sincerely|really|can|only) )*apologi[sz]e(?: {_FOR_ANY}| for {_IT})?",
        rf"(?:my|our) (?:(?:sincere|sincerest|deepest) )?apologies(?: {_FOR_ANY})?",
    )
)
_STOCK = re.compile(
    r"(?:(?:oh|ah|aw|okay|ok|right|alright|well|yes|yeah|no|gosh|goodness|dear|me|hmm|look|and|so"
    r"|but|first|i see|thank you) )*"
    rf"(?:{_WE} )?(?:{_PHRASE})"
    rf"(?: (?:and|but)(?: {_WE})? (?:{_PHRASE}))*"
    rf"(?: {_IT}(?: (?:has|may have))? caused)?(?: caused)?(?: you)?"
    rf"(?: ?{_HAVING})?"
    r"(?: (?:today|there|then|sir|ma'am|madam|mate|love|(?:mr|mrs|ms|miss)(?: [\w']+)?))*"
)
# Without punctuation the business follows in one breath.
_BUSINESS = re.compile(
    r"(?: (?:so|now|and|but|okay|right|alright|just|for security(?: purposes)?))*"
    r"(?: (?:(?:may|can|could) i|(?:can|could|do|have) you|is (?:it|that)|what(?! an?\b)"
    r"|what's|whats|who|which|where|when|let's|lets|let me|name|i'll|i will|we'll|we will"
    r"|give me)\b.*| [\w']+)?"
)
_FILLER = re.compile(
    r"(?:(?:oh|okay|ok|right|alright|well|yes|yeah|sure|hello|hi|ah|great|quite|i see|bear with me"
    r"|of course|no problem)(?: |$))+"
)

_RECAP = re.compile(
    r"\b(?:to|let me|let's|lets|i'll) (?:(?:just|quickly|briefly) )?"
    r"(?:sum(?: \w+)? up|recap|summari[sz]e)\b|\bin summary\b"
)

_REALLY = r"(?: (?:really|even|rightly|honestly|actually|quite))*"
_OWN = r"\b(?:i|i'd|we|we'd|i would)"
# Of 561 labeled calls 210 of the 283 in which no agent says any of these let the customer know
# where they stand, and 70 of the 278 others.
_HEDGE = re.compile(
    "|".join(
        (
            r"\b(?:probably|possibly|hopefully|maybe|perhaps|usually|normally|supposedly|might)\b",
            r"\bdepend(?:s|ing)\b(?! on (?:the|your) (?:\w+ )?(?:credit|score|check|rate)\b)",
            r"\bshould(?: (?:just|all|hopefully|then|really))* "
            r"(?:be|do|get|come|arrive|happen|hear|land|drop|show|reach|turn)\b",
            rf"{_OWN} (?:imagine|have thought|expect|reckon|guess|suppose|think)\b|\bi'd hope\b",
            rf"\b(?:could|can|would|ca|wo)(?:n't| not|not|nt){_REALLY} "
            r"(?:tell|say|promise|guarantee|know)\b",
            rf"{_OWN} (?:do not|don't|dont){_REALLY} know\b|\bdunno\b",
            r"\bhard to (?:say|tell)\b|\bno (?:idea|way of knowing|promises)\b"
            r"|\bnot (?:\w+ )?sure\b|\bwho knows\b|\bbeyond me\b|\banyone's guess\b"
            r"|\bfingers crossed\b|\bany luck\b",
            r"\bsome(?:one|body)(?:'ll|'d| will| should| would| might)\b",
            r"\bmay (?:be|take)\b(?! (?:\w+ )?(?:record|monitor|tape|listen|kept|used))",
            r"\bcould (?:be|take)\b",
            r"\bwe'll see\b|\btry (?:again|us|back|later)\b",
        )
    )
)

_I = r"\b(?:i|we)(?:'ve|ve| have)?"
_YOU = r"(?:you|ye|ya|yous|youse)"
_JUST = r"(?: (?:already|just|did|literally|only))"
_SAID = r"(?:said|told|mentioned|explained)"
# Of 501 labeled calls, 3 of the 104 in which a customer says one of these show good listening, and
# 231 of the 397 others.
_PROTEST = re.compile(
    "|".join(
        (
            rf"{_I}{_JUST}* (?:told|telt|said to|say to) {_YOU}\b",
            rf"\b(?:i'm|im|i am)(?: after)? (?:telling|saying)(?: it)?(?: to)? {_YOU}\b"
            r"(?! (?:honestly|frankly|truly|the truth|now|that))",
            rf"\b(?:like|as) {_I}{_JUST}? {_SAID}\b",
            rf"{_I}{_JUST}+ (?:{_SAID}|say|tell|gave {_YOU}|given {_YOU})\b"
            r"(?! to (?:my|him|her|them))",
            rf"^(?:(?:no|yes|yeah|yep|aye|but|and|well|oh|nah|ah|look|it's|its) )*{_I} said\b"
            r"(?! (?:i'd|i'll|to (?:my|our|him|her|them|the|myself)|he|she|they)\b)",
            rf"{_I} said(?: (?:that|so|already|before|earlier|twice))*$",
            r"\b(?:that's|thats|that is|this is) what (?:i'm|im|i am|i've|i)(?: just)?"
            r" (?:said|say|saying|telling)\b(?! to)",
            rf"\b(?:did|do|are) {_YOU}(?: even| not)? (?:hear what|hear me|listening|hearing)\b",
            r"\bnot (?:even )?(?:listening|hearing (?:me|what))\b",
            rf"\b{_YOU}(?:'ve| have)?(?: (?:just|already) asked\b| asked me (?:that|already)\b)",
            r"\balready i (?:told|said|say)\b|\bi say (?:it )?already\b",
        )
    )
)


def was_said(text: str) -> bool:
    """Whether a customer points out that they have said it: "I just told you", "like I said"."""
    return _PROTEST.search(" ".join(tokens(text))) is not None


def is_hedged(text: str) -> bool:
    """Whether it leaves open what is so or will be: "it should be", "I couldn't tell you"."""
    asks = text.rstrip().endswith("?")
    return not asks and _HEDGE.search(" ".join(tokens(text))) is not None


def announces_recap(text: str) -> bool:
    """Whether it says outright that it sums up, and goes on to do so."""
    words = " ".join(tokens(text))
    said = _RECAP.search(words)
    return said is not None and len(words[said.end() :].split()) >= SUMMED_UP


def is_stock_phrase(text: str) -> bool:
    """Whether it says "I'm sorry to hear that" or its like, and nothing of this customer."""
    words = " ".join(tokens(text))
    phrase = _STOCK.match(words)
    if phrase is None:
        return False
    rest = words[phrase.end() :]
    return bool(_BUSINESS.fullmatch(rest)) and lexicon.FEELINGS.isdisjoint(rest.split())


def is_filler(text: str) -> bool:
    """Whether it only keeps the line alive: "Oh, okay", "I see"."""
    return bool(_FILLER.fullmatch(" ".join(tokens(text))))
