"""The Porter stemmer against the examples of its paper."""

from __future__ import annotations

import pytest

from suite.metrics.porter_stemmer import stem

#: By step of the algorithm, as the whole of it leaves them.
STEMS = {
    "1a": "caresses caress, ponies poni, ties tie, caress caress, cats cat",
    "1b": "feed feed, agreed agre, plastered plaster, bled bled, motoring motor, sing sing, conflated conflat, "
    "troubled troubl, sized size, hopping hop, tanned tan, falling fall, hissing hiss, fizzed fizz, failing fail, "
    "filing file",
    "1c": "happy happi, sky sky, enjoy enjoy",
    "2": "relational relat, conditional condit, rational ration, valenci valenc, hesitanci hesit, digitizer digit, "
    "conformabli conform, radicalli radic, differentli differ, vileli vile, analogousli analog, "
    "vietnamization vietnam, predication predic, operator oper, feudalism feudal, decisiveness decis, "
    "hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit, sensibiliti sensibl, geology geolog",
    "3": "triplicate triplic, formative form, formalize formal, electriciti electr, electrical electr, hopeful hope, "
    "goodness good",
    "4": "revival reviv, allowance allow, inference infer, airliner airlin, gyroscopic gyroscop, adjustable adjust, "
    "defensible defens, irritant irrit, replacement replac, adjustment adjust, dependent depend, adoption adopt, "
    "homologou homolog, communism commun, activate activ, angulariti angular, homologous homolog, effective effect, "
    "bowdlerize bowdler",
    "5": "probate probat, rate rate, cease ceas, controlling control, roll roll",
    "several": "generalizations gener, oscillators oscil, running run, packages packag, libraries librari",
    "short": "is is, by by, a a, as as",
    "y": "yes ye, yellow yellow, syzygy syzygi, toy toy, enjoyed enjoy",
    "irregular": "dying die, lying lie, skies sky, news news, innings inning, proceed proceed",
    "variant": "dies die, died die, flies fli, spied spi, plays play, fully fulli, ow ow",
    "digits": "python3 python3, 2nd 2nd, utf8 utf8",
}


@pytest.mark.parametrize("step", STEMS)
def test_words_of_each_step(step: str) -> None:
    pairs = [pair.split() for pair in STEMS[step].split(", ")]
    assert [stem(word) for word, _ in pairs] == [wanted for _, wanted in pairs]
