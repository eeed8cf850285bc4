"""The heads of requests that are refused."""

import pytest

from service.http_server.errors import UnsupportedVersion
from service.http_server.request_head import check_head, check_protocol


def test_other_versions_and_protocols_are_named() -> None:
    with pytest.raises(UnsupportedVersion, match=r"^HTTP/2\.0 is not spoken here; HTTP/1\.1 is$"):
        check_head(b"/", [(b"host", b"localhost")], lambda: "2.0")
    with pytest.raises(UnsupportedVersion, match=r"^only HTTP/1\.1 is spoken here$"):
        check_protocol(b"/", b"OPTIONS / RTSP/1.0\r\n")
