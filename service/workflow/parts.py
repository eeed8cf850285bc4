"""The parts of the data that a split makes; for processes that do not load torch."""

PARTS = ("train", "validation", "test")
