"""Gestures in recordings of motion sensors: so far where the data comes from; the task is being built on it."""
