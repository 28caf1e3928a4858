"""English words that no text adds to: prepositions, determiners, pronouns, conjunctions, auxiliaries, numbers."""

from __future__ import annotations


def word_set(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


PREPOSITIONS = word_set(
    "aboard about above across after against ahead along alongside amid amidst among amongst around as aside astride "
    "at atop away behind below beneath beside besides between beyond by concerning despite down during except for "
    "from in inside into like near nearby of off on onto out outside over past per regarding since than "
    "through throughout thru till to toward towards under underneath unlike until unto up upon versus via with within "
    "without"
)
"""Prepositions, and the adverbs and particles that tell a place or a direction as they do (`down`, `away`, `nearby`).

`than` and `as` are tagged like them; which of all these tell something about a picture is the grouping file's matter.
"""
POSSESSIVES = word_set("his her hers its my your our their whose 's '")
DETERMINERS = word_set("a an the this that these those some any each every no both all another either neither")
PRONOUNS = word_set(
    "it he she they him them we you i me us himself herself itself themselves who whom which what someone somebody "
    "something anyone anybody anything everyone everybody everything nobody nothing there"
)
CONJUNCTIONS = word_set(
    "and or but nor so yet while when where because if whether although though how why whereas & -lrb- -rrb-"
)
AUXILIARIES = word_set(
    "be is are am was were been being 're 'm 'll 'd do does did doing done can could will would shall should may might "
    "must ca wo n't not"
)
"""Forms of be and do, modal verbs and their negation: verbs that tell nothing of a picture by themselves."""
HAVE = word_set("have has had having 've")
ADVERBS = word_set("very too also just not only together here then now again still already almost yet else")
NUMBERS = word_set(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty hundred thousand million dozen"
)
QUANTITIES = word_set("several many few much more most fewer less other such own various")
"""Adjectives of quantity and order: they stand where determiners stand."""
