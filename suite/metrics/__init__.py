"""Metrics, on numpy."""

from suite.metrics.scores import (
    accuracy,
    bleu_and_chrf,
    confusion,
    edits,
    error_rates,
    macro_f1,
    natural,
    pearson_r,
    per_class,
    per_source,
    sign_accuracy,
)

__all__ = [
    "accuracy",
    "bleu_and_chrf",
    "confusion",
    "edits",
    "error_rates",
    "macro_f1",
    "natural",
    "pearson_r",
    "per_class",
    "per_source",
    "sign_accuracy",
]
