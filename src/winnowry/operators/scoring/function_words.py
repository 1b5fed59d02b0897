"""The closed-class words of English: words that hold a sentence together rather than say what it is about.

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
