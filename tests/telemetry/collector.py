"""A collector of traces: OTLP over HTTP on a free port, with OpenTelemetry's own message types."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """Keeps every span that it receives, with the name of the service that sent it."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def take(self, body: bytes) -> bytes:
        """Handles a request; returns the response body."""
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in of_service.resource.attributes}
            self.services.add(about["service.name"])
            for scope in of_service.scope_spans:
                self.spans.extend(scope.spans)
        answer: bytes = ExportTraceServiceResponse().SerializeToString()
        return answer

    def named(self, name: str, job_id: str | None = None) -> list[Span]:
        """The spans of this name, and of this job if given."""
        return [
            span
            for span in list(self.spans)
            if span.name == name and job_id in (None, attributes(span).get("modelwright.job.id"))
        ]


def attributes(span: Span) -> dict[str, str | int | float]:
    """A span's attributes."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A running collector."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/traces"
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server)
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
