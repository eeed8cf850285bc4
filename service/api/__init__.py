"""The HTTP API: requests in, use cases, responses out. Apart from `service/app.py` only this package uses FastAPI."""
