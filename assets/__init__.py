"""What ships beside the code: checkpoints and samples, a folder a task."""
