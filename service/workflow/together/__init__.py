"""Trains specs of one shape together: their parameters are rows of one matrix, and one operation of torch computes the same layer
of many networks. What a small network costs alone is mostly the calls of its operations."""

from service.workflow.together.learn import Outcome, learn_together
from service.workflow.together.shape import refusal, same_shape

__all__ = ["Outcome", "learn_together", "refusal", "same_shape"]
