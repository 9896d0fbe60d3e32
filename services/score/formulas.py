"""Words that anybody would be told, which answer this customer half or not at all; and recaps.

Rules, not heads: what makes a formula is its wording, and few formulas make up most of them.
"""

import re

from services.score import lexicon
from services.score.features import tokens

__all__ = ["announces_recap", "is_filler", "is_stock_phrase"]

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
