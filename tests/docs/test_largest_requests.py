"""`benchmarks/run edge` sends the largest valid request of every route and format."""

from pathlib import Path

import pytest

from benchmarks.largest_requests import largest
from service.app import create_app
from service.serving.codecs import DECODERS
from service.settings import Settings
from service.startup import start_up


def test_every_route_and_format_has_its_largest_request(tmp_path: Path) -> None:
    openapi = create_app(start_up(Settings(home=tmp_path))).framework.openapi()
    names = [each.name for each in largest(openapi)]
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            kinds = DECODERS if path.endswith("/predictions") else operation.get("requestBody", {}).get("content", {})
            route = f"{method.upper()} {path}"
            expected = {f"{route}, {kind}" for kind in kinds} if "requestBody" in operation else {route}
            assert expected <= set(names)
    content = {"text/new": {"schema": {"type": "string"}}}
    with pytest.raises(KeyError):
        list(largest({"paths": {"/v1/new": {"post": {"requestBody": {"content": content}}}}}))
