"""Exporting a trained model as a checkpoint: ONNX graphs, their verification, and the model card."""
