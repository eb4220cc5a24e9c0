"""How to train, as a frozen dataclass; it lives with the plugin interface, whose configurations hold it."""

from suite.task.training_spec import TrainingSpec

__all__ = ["TrainingSpec"]
