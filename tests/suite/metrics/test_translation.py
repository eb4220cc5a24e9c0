"""BLEU and chrF."""

from __future__ import annotations

from suite.metrics import (
    bleu_and_chrf,
)


def test_bleu_and_chrf_take_the_references_that_each_text_has() -> None:
    texts = ["the cat sat on the mat", "a dog ran in the park"]
    same = bleu_and_chrf(texts, [["another text", texts[0]], [texts[1]]], "judging")
    assert same["bleu"] == same["chrf"] == 100
    assert bleu_and_chrf(texts, [["nothing of it here"], ["nor of this"]], "judging")["bleu"] < 5
    assert bleu_and_chrf(texts, [[text] for text in texts], "judging")["bleu_signature"].startswith("nrefs:1|")
