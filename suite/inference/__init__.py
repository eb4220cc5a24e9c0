"""Using a model: pipelines, streaming sessions, evaluation."""
