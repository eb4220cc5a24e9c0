"""Operators on tensors: scans over time, each with a reference that it is tested against."""
