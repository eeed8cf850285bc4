"""The parts of the data that a split makes; for processes that do not load torch."""

PARTS = ("train", "validation", "test")
"""Those that a model is learned from and evaluated on."""

CALIBRATION = "calibration"
"""The part whose rows say how far answers are from the truth, for intervals and sets. Neither learned from nor evaluated."""

SPLIT_PARTS = ("train", "validation", CALIBRATION, "test")
"""All parts, in the order of their rows."""
