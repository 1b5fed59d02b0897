"""Closed-class words, English and Chinese: words that hold a sentence together rather than say what it is about.

Written down class by class from the grammar; open classes (nouns, lexical verbs, adjectives, most adverbs) are what is
left over. Contractions are formed by rule from their parts.
"""

from __future__ import annotations

_DETERMINERS = """
a an the this that these those each every either neither both all any some no none several few fewer fewest many much
more most less least enough half another other others such what whatever which whichever whose
"""
_PRONOUNS = """
i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
we us our ours ourselves they them their theirs themselves one ones oneself who whom whoever whomever
somebody someone something anybody anyone anything nobody nothing everybody everyone everything thee thou thy
"""
_PREPOSITIONS = """
about above across after against along alongside amid amidst among amongst around as at atop before behind below
beneath beside besides between beyond by concerning despite down during except for from in inside into like near
of off on onto opposite out outside over past per regarding since than through throughout till to toward towards
under underneath until unto up upon versus via with within without
"""
_CONJUNCTIONS = """
and but or nor so yet if unless because although though while whereas whether lest once when whenever where wherever
why how however therefore thus hence
"""
_AUXILIARIES = """
be am is are was were been being have has had having do does did doing done can could may might must shall should
will would ought cannot
"""
_PARTICLES = """
not there here then also too very just only even still ever never again else away back yes please
"""
_SUBJECTS = "i you he she it we they who what that there here"
_CLITICS = "'s 'd 'll 're 've 'm"
_NEGATED = "is are was were have has had do does did can could may might must should would need"


def _contractions() -> set[str]:
    joined = {subject + clitic for subject in _SUBJECTS.split() for clitic in _CLITICS.split()}
    negated = {verb + "n't" for verb in _NEGATED.split() if verb != "can"}
    return joined | negated | {"can't", "won't", "shan't", "ain't", "let's"}


def _closed_class() -> tuple[str, ...]:
    listed = _DETERMINERS, _PRONOUNS, _PREPOSITIONS, _CONJUNCTIONS, _AUXILIARIES, _PARTICLES
    words = {word for block in listed for word in block.split()}
    return tuple(sorted(words | _contractions()))


FUNCTION_WORDS = _closed_class()
"""Closed-class words and their contractions, lower case, sorted, with a straight apostrophe."""

_CHINESE = {
    "particles": "的地得了着过吗呢吧啊呀嘛啦哦所之乎者也矣",
    "pronouns": "我你您他她它们咱其这那此该某每各哪谁何什么",
    "prepositions": "在于从自由向往朝对把将被给让跟同与为以按比至到除",
    "conjunctions": "和及或且而但并若如则因虽却即既",
    "adverbs": "不没无未非就才都还又再也很太最更已曾正仅只",
    "auxiliaries": "是有能会可应要",
}
CHINESE_FUNCTION_CHARACTERS = "".join(sorted(set("".join(_CHINESE.values()))))
"""Characters that mostly write Chinese particles, pronouns, prepositions and the like, sorted.

Written down class by class; several of them are also parts of content words (可 in 可能, 会 in 会议).
"""

_DOUBLED = """
had that her so very no not yes never again there please much more many is do ever one all who what even over you on in
here away too
"""
MAY_BE_DOUBLED = frozenset(_DOUBLED.split())
"""Words of :data:`FUNCTION_WORDS` that are written twice in a row for good reasons (``he had had``, ``no no``)."""
