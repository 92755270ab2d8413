"""Words, and which language they are of.

The lists hold words of grammar alone (articles, pronouns, prepositions, auxiliaries, fillers).
Published stop lists are ten times as long and would hide `order`, `number` and `problem`,
which is what people call about.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vault.model import Json

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
#: So many words of a language's grammar have to occur before it is believed to be that one.
_EVIDENCE = 3

STOP_WORDS: dict[str, frozenset[str]] = {
    code: frozenset(text.split())
    for code, text in {
        "en": """a about after again all also am an and any are aren't as at be because been before
            being but by can can't could couldn't did didn't do does doesn't doing don't down each
            for from get go going gonna got had has have haven't having he he's her here hers him
            his how i i'd i'll i'm i've if in into is isn't it it's its itself just let let's like
            me more most my no nor not now of off oh ok okay on once one only or other our out over
            own really right same she she's should so some such than that that's the their them
            then there there's these they they're this those through to too uh uhm um under until up
            us very was wasn't way we we'd we'll we're we've well were what what's when where which
            while who why will with won't would yeah yes you you'd you'll you're you've your
            yours""",
        "de": """aber als also am an auch auf aus bei bin bis bist da dann das dass dem den denn der
            des die dies diese diesen dieser doch dort du durch ein eine einem einen einer eines er
            es etwas euch für gerade hab habe haben hat hatte ich ihm ihn ihnen ihr ihre im in ins
            ist ja jetzt kann kein keine können man mal mein meine mich mir mit nach nein nicht noch
            nun nur ob oder ohne schon sehr sein sich sie sind so über um und uns unser unter vom
            von vor war was wenn wer werden wie wir wird wo würde zu zum zur""",
        "fr": """à ai alors au aussi aux avec avez avoir bien c'est ce ces cet cette dans de des
            donc du elle elles en est et eu euh être fait il ils j'ai je la le les leur lui ma mais
            me mes moi mon ne non nos notre nous on ont ou où oui par pas plus pour qu'il que qui sa
            sans se ses si son sont suis sur ta te tes toi ton tu un une vos votre vous y""",
        "es": """a al algo así aunque bien como con cual cuando de del desde donde dos el él ella
            ellos en entre era es esa ese eso esta está estaba estamos este esto estoy fue ha hay he
            la las le les lo los más me mi mis muy nada ni no nos o para pero por porque pues que
            qué se sea ser si sí sin sobre son soy su sus también te tengo tiene tu tú un una uno
            unos y ya yo""",
        "it": """a ad ai al alla alle anche c'è che chi ci come con cosa da dal dalla dei del della
            delle di dove e è ed era essere fa gli ha hai hanno ho i il in io la le lei li lo loro
            lui ma mi mia mio ne negli nel nella no noi non o per perché però più poi quando quello
            questa questo se sei si sì siamo solo sono su sua suo tra tu un una uno va voi""",
        "pt": """a ao aos as até com como da das de dela dele do dos e é ela ele eles em entre era
            essa esse esta está estou eu foi há isso isto já lhe mais mas me meu meus minha muito na
            não nas nem no nos nós o os ou para pela pelo por porque qual quando que quem se sem ser
            seu seus só sua também te tem tenho tu um uma você vocês""",
        "nl": """aan al als bij ben bent da dan dat de deze die dit doen door dus een en er ga geen
            had heb hebben heeft het hier hij hoe ik in is ja je jij kan kunnen maar me mee meer men
            met mij mijn moet na naar nee niet nog nu of om omdat onder ons ook op over te toch toen
            tot u uit uw van veel voor waar want waren was wat we wel werd wie wij wil worden zal ze
            zei zich zij zijn zo zou""",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Language:
    """`code` is ISO 639-1, None where nothing tells; `rule` says how it is known."""

    code: str | None
    rule: str

    @property
    def stop_words(self) -> frozenset[str]:
        """The words of its grammar; empty where there is no list for it."""
        return STOP_WORDS.get(self.code or "", frozenset())


def split(text: str | None) -> list[str]:
    """The words of a text, folded to lower case; a script without spaces gives runs of it."""
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text or "")]


def count(text: str | None) -> int:
    """How many words a text has."""
    return sum(1 for _ in _WORD.finditer(text or ""))


def language(given: str | None, stated: Sequence[Json], texts: Iterable[str]) -> Language:
    """The language that was given, else the one most segments state, else an estimate.

    Estimated by which list of words of grammar has the most of the words; of equals, and of
    fewer than three, none.
    """
    if given is not None:
        return Language(_code(given), "given by the caller")
    codes = [_code(value) for value in stated if isinstance(value, str) and value.strip()]
    if codes:
        return Language(Counter(sorted(codes)).most_common(1)[0][0], "stated by the source")
    found = [word for text in texts for word in split(text)]
    votes = sorted(((sum(w in known for w in found), c) for c, known in STOP_WORDS.items()))
    (second, _), (most, code) = votes[-2:]
    if most < _EVIDENCE or most == second:
        return Language(None, "neither stated nor told by the words of its grammar")
    return Language(code, "estimated by the words of its grammar")


def _code(tag: str) -> str:
    """The language of a tag such as `en-US` (RFC 5646)."""
    return re.split(r"[-_]", tag.strip(), maxsplit=1)[0].lower()
