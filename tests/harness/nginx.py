"""A real nginx with the configuration of examples/proxies, adapted to this machine: ports, certificate, folders."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Self

import httpx

from tests.harness.server import ROOT
from tests.harness.until import until

EXAMPLE = ROOT / "examples" / "proxies" / "nginx.conf"
HOST = "localhost"  # which the certificate names
SELF_MADE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=ml.example.org "
    "-addext subjectAltName=DNS:ml.example.org,DNS:localhost -keyout ml.example.org.key -out ml.example.org.pem"
)


def find_nginx() -> str | None:
    """The program; a user who is not root may not have its folder in PATH."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Nginx:
    """nginx in front of a service, until the end of `with`.

    Args:
        folder: for its certificate, its configuration and its logs.
        upstream: the address of the service, host and port.
        remove_path: whether it removes the path from the requests that it passes on.
    """

    def __init__(self, folder: Path, upstream: str, *, remove_path: bool = False) -> None:
        folder.mkdir()
        self._log = folder / "error.log"
        subprocess.run(SELF_MADE.split(), cwd=folder, check=True, capture_output=True)  # noqa: S603 - our own
        secure, plain = _free_ports(2)
        self.url = f"https://{HOST}:{secure}/mw"
        self.plain_url = f"http://{HOST}:{plain}"
        self.trust = ssl.create_default_context(cafile=str(folder / "ml.example.org.pem"))
        text = EXAMPLE.read_text()
        for written, here in (
            ("modelwright:8000;", f"{upstream};"),
            ("listen 443", f"listen 127.0.0.1:{secure}"),
            ("listen 80", f"listen 127.0.0.1:{plain}"),
            ("/etc/nginx/certificates/", f"{folder}/"),
            ("proxy_pass http://modelwright;", f"proxy_pass http://modelwright{'/' if remove_path else ''};"),
            ("http {", f"pid {folder}/pid;\nerror_log {self._log};\nhttp {{\naccess_log off;\n{_folders(folder)}"),
            ("worker_connections 4096;", "worker_connections 64;"),
        ):
            assert written in text, written
            text = text.replace(written, here)
        (folder / "nginx.conf").write_text(re.sub("worker_processes auto", "worker_processes 1", text))
        command = [find_nginx() or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - Debian's
        self._address = ("127.0.0.1", secure)
        try:
            until(self._listens, 60)
        except BaseException:
            self.stop()
            raise

    def http(self, key: str | None = None) -> httpx.Client:
        """A client of the service through nginx."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, verify=self.trust, headers=headers, timeout=120, trust_env=False)

    def connect(self) -> ssl.SSLSocket:
        """A connection to it, for requests of which a client sends one piece at a time."""
        return self.trust.wrap_socket(socket.create_connection(self._address, timeout=120), server_hostname=HOST)

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(60)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as tried:
            return tried.connect_ex(self._address) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _folders(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
