"""HTTP in, use case, HTTP out. With `service/app.py` the only place that knows FastAPI."""
