"""From a trained model to a checkpoint: ONNX graphs, their verification, the model card."""
