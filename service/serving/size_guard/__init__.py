"""Checks of the sizes that compressed formats state, before a library allocates memory for them."""
