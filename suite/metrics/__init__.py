"""Metrics, on numpy. Names and ranges are the project's vocabulary: the same in Python, JSON and model cards."""

from suite.metrics.captioning import cider
from suite.metrics.classification import accuracy, confusion, macro_f1, per_class
from suite.metrics.forecasting import coverage_80, crps, mase, smape
from suite.metrics.groups import per_source
from suite.metrics.language_modeling import bits_per_char, perplexity
from suite.metrics.regression import pearson_r, sign_accuracy
from suite.metrics.summarization import rouge
from suite.metrics.transcription import edit_distance, error_rates
from suite.metrics.translation import bleu_and_chrf

__all__ = [
    "accuracy",
    "bits_per_char",
    "bleu_and_chrf",
    "cider",
    "confusion",
    "coverage_80",
    "crps",
    "edit_distance",
    "error_rates",
    "macro_f1",
    "mase",
    "pearson_r",
    "per_class",
    "per_source",
    "perplexity",
    "rouge",
    "sign_accuracy",
    "smape",
]
