"""Random augmentation of training inputs."""
