"""Word lists and patterns of English telephone talk, for the hand-made features."""

import re

__all__ = [
    "ANYONE",
    "AUXILIARIES",
    "CALENDAR",
    "COURTESY",
    "FEELINGS",
    "FUTURE",
    "IMPERATIVES",
    "LEAD_INS",
    "NEGATIONS",
    "NO_NAMES",
    "NUMBERS",
    "PROCEDURAL_SORRY",
    "SMALL_TALK",
    "STOP",
    "SUBJECTS",
    "TAG",
    "WH",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Stand for every name while a call is read: a first name and a surname of any group and gender.
ANYONE = ("Taylor", "Morgan")

WH = _words("what what's how how's why which where when who who's whose whom")
AUXILIARIES = _words(
    "do does did don't didn't is are was were isn't aren't am can could couldn't can't will would "
    "wouldn't have has had haven't may might shall should"
)
SUBJECTS = _words("i you we they he she it that this there your the my anyone somebody")
IMPERATIVES = _words("tell walk talk describe explain help")
NEGATIONS = _words(
    "no not never nothing nobody none can't cannot don't won't isn't aren't didn't doesn't wasn't "
    "wouldn't couldn't shouldn't haven't"
)
NUMBERS = _words(
    "zero oh one two three four five six seven eight nine ten eleven twelve twenty thirty forty "
    "fifty sixty seventy eighty ninety hundred thousand"
)
FEELINGS = _words(
    "sorry upset upsetting frustrating frustrated frustration worried worry worrying scared scary "
    "frightening frightened terrified terrifying angry anger furious stress stressed stressful "
    "sad awful terrible horrible hard difficult tough rough nightmare embarrassing embarrassed "
    "disappointed disappointing anxious afraid exhausted exhausting tired devastated "
    "devastating heartbreaking shock shocked shaken pain painful hurt glad happy excited "
    "wonderful congratulations lovely fear panic overwhelmed overwhelming lonely annoyed annoying "
    "unfair uncomfortable"
)
CALENDAR = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december"
)
STOP = _words(
    "a an the and or but so if of to in on at for from with by as is are was were be been am do "
    "does did have has had i i'm i've i'll you you're your we our they it it's its that that's "
    "this there he she his her my me him them not no yes okay ok um uh well just can could would "
    "will what how when where who why which then than too very really right like get got go going "
    "out up about all some any one more"
)
# What everybody says on the telephone, whatever it is about.
SMALL_TALK = _words(
    "see now here know think want need thing things time way let say said tell told mean look "
    "come came back sort bit lot oh yeah aye please thank thanks sorry hello bye love mate dear "
    "sir madam maam miss mrs good fine sure course again still always never ever also only even "
    "much many there's i'd you'd we'd we'll he's she's they're we're isn't don't didn't can't "
    "won't doesn't wasn't couldn't wouldn't haven't make made take took put give gave two mine "
    "these those because while until since after before off over down into something anything "
    "nothing everything someone somebody nobody anyone yourself myself maybe perhaps actually "
    "quite pretty though anyway first last next today tomorrow call calling called phone number "
    "name line minute minutes what's you've you'll it'll we've they'll they've let's should "
    "through same says goes gone comes coming done gets else other every own whole another might "
    "must already saying thought knew till both being each och ach least doing used keep went "
    "who's thats dont whatever getting having looking"
)
FUTURE = re.compile(r"\b(?:i'll|we'll|you'll|they'll|it'll|will|(?:'m|'re|is|are) going to)\b")
PROCEDURAL_SORRY = re.compile(
    r"\bsorry\b.*\b(?:repeat|catch|caught|hear you|spell|again|once more|one more time|speak up"
    r"|unavailable|not available|breaking up|what was|who am|mute|don't have|do not have"
    r"|no \w+ (?:left|available)|couldn't find|can't find|but)\b"
)
COURTESY = re.compile(
    r",?\s*\b(?:please|excuse me|pardon me|thank you(?: (?:so|very) much)?"
    r"|thanks(?: (?:a lot|so much))?|hi|hello|hey|good (?:morning|afternoon|evening))"
    r"\b(?!\s+(?:for|to)\b),?",
    re.IGNORECASE,
)
TAG = re.compile(r"(?:\bright|\bcorrect|\byes|\bis that it|\bis that right|\bokay)\s*\?$")
LEAD_INS = _words("so and okay ok right well now oh um uh but then alright great sure sorry thanks")
NO_NAMES = _words(
    "yes no yeah sure okay hi hello oh well it it's i i'm the my and this is that's thanks thank "
    "mr mrs ms mister miss missus dr doctor good morning afternoon evening day of course just so "
    "um uh first last name"
)
