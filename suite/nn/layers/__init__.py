"""Layers: recurrent stacks, attention, pooling, embeddings, vision backbones."""
