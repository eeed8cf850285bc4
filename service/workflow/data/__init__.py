"""Step 1, data: one file a kind. Importing this package imports neither torch nor polars."""
