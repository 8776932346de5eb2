"""Inference of very large Transformers by tensor and pipeline parallelism."""
