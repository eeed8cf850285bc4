"""Where two rooms meet: one file a verb."""
