"""Requests for predictions, from their bytes to the bytes of the answer."""
