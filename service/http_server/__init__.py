"""uvicorn's protocol made safe: what a client may send, and for how long it may take. Knows nothing of the API."""
