"""What the models read instead of the words as heard: without names, in standard spelling.

Who speaks, and with what accent, must not change a judgement. So before a sentence is embedded, the
names that came up in the call become one and the same name, and spellings by which recognizers
write down dialects and accents become the standard ones. One word stays one word, and quotes are
always the words as heard.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import lru_cache

from callscope.tokens import tokens
from callscope.types import Utterance, Word
from services.score import lexicon, names
from services.score.reading import Finding, Reading
from services.score.sentences import split

__all__ = ["as_heard", "plain", "spoken", "standard"]

_WORD = re.compile(r"^([^\w']*)([\w']+)(\W*)$")
_NAME = re.compile(r"^(\W*)([\w-]+?)((?:'s)?\W*)$")
_DROPPED_G = re.compile(r"(?<=[a-z]{2})in'$")
_SPELLINGS: Mapping[str, str] = {
    spelled: word
    for line in (
        "gonna=going to; gon=going to; wanna=want to; gotta=got to; lemme=let me; gimme=give me",
        "kinda=kind of; dunno=don't know; 'cause=because; cuz=because; coz=because; em=them",
        "ain't=isn't; in't=isn't; innit=isn't it; y'all=you all; ya=you; yer=your; ax=ask",
        "nothin=nothing; nuttin=nothing; somethin=something; summat=something; nowt=nothing",
        "anythin=anything; everythin=everything; mum=mother; mam=mother; okey=okay",
        "dis=this; dat=that; dem=them; dese=these; dere=there; dey=they; de=the",
        "dat's=that's; dere's=there's; da=the; wid=with; wiv=with; fink=think",
        "ze=the; zis=this; zat=that; zem=them; zey=they; zere=there; zat's=that's; wiz=with",
        "vas=was; vill=will; vere=where; vith=with; vould=would; vant=want; vy=why",
        "wery=very; bery=very; leally=really; ees=is; eet=it; yust=just",
    )
    for spelled, word in (pair.split("=") for pair in line.split("; "))
}


def plain(utterances: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """The conversation for models to read, word for word."""
    known = names.all_names(split(utterances))
    return tuple(replace(each, words=tuple(_words(each.words, known))) for each in utterances)


def as_heard(reading: Reading, utterances: Sequence[Utterance]) -> Reading:
    """A reading of the plain conversation, with the words as heard put back."""
    findings = tuple(_heard(each, utterances) for each in reading.findings)
    return replace(reading, utterances=tuple(utterances), findings=findings)


@lru_cache(maxsize=10_000)
def standard(text: str) -> str:
    """A word in standard spelling, its punctuation and its capital kept."""
    match = _WORD.match(text)
    if match is None:
        return text
    before, core, after = match.groups()
    spelled = core.lower()
    known = _SPELLINGS.get(spelled) or _SPELLINGS.get(spelled.strip("'"))
    if known is None:
        return before + _DROPPED_G.sub("ing", core) + after
    return before + (known.capitalize() if core[:1].isupper() else known) + after


def spoken(words: Sequence[Word]) -> str:
    """The words in standard spelling, lower case, without punctuation."""
    return " ".join(tokens(" ".join(standard(word.text) for word in words)))


def _words(words: Sequence[Word], known: Set[str]) -> Iterator[Word]:
    named = 0  # names in a row: the first, and what follows it
    for word in words:
        match = _NAME.match(word.text)
        if match is not None and match[2].lower() in known:
            yield replace(word, text=match[1] + lexicon.ANYONE[min(named, 1)] + match[3])
            named += 1
        else:
            text = standard(word.text)
            yield word if text == word.text else replace(word, text=text)
            named = 0


def _heard(finding: Finding, utterances: Sequence[Utterance]) -> Finding:
    sentence = finding.sentence
    words = utterances[sentence.utterance].words
    heard = words[sentence.first : sentence.first + len(sentence.words)]
    return replace(finding, sentence=replace(sentence, words=heard))
