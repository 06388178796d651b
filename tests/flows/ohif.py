"""OHIF's prebuilt viewer on a server of its own, as a hospital has it: its pages, and a proxy that
hands what it asks of DICOMweb to an exchange with the token of a person.
"""

from __future__ import annotations

import gzip
import http.client
import json
import mimetypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DIST = Path(sys.prefix) / "ohif" / "dist"
"""Where `tools/ohif.sh` puts it."""

_PROXIED = "/dicom-web"
_HANDED_ON = ("Accept", "Accept-Encoding", "Content-Type", "Range", "If-None-Match")
_CONFIGURATION = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 1,
    "showCPUFallbackMessage": False,
    "showLoadingIndicator": True,
    "strictZSpacingForVolumeViewport": True,
    "defaultDataSourceName": "lysbro",
    "investigationalUseDialog": {"option": "never"},
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "lysbro",
            "configuration": {
                "friendlyName": "Lysbro",
                "name": "lysbro",
                "wadoUriRoot": _PROXIED,
                "qidoRoot": _PROXIED,
                "wadoRoot": _PROXIED,
                "qidoSupportsIncludeField": True,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "supportsFuzzyMatching": True,
                "supportsWildcard": True,
                "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
            },
        }
    ],
}


_PACKED = {".js", ".css", ".html", ".json", ".svg", ".wasm"}


@cache
def _packed(file: Path) -> bytes:
    """Return a file of the viewer as a hospital's web server sends it."""
    return gzip.compress(file.read_bytes(), 6)


@contextmanager
def serve_ohif(upstream_port: int, token: str) -> Iterator[str]:
    """Serve the viewer over an exchange's DICOMweb; give the address of its pages."""

    class Handler(_Pages):
        port, authorization = upstream_port, f"Bearer {token}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Pages(BaseHTTPRequestHandler):
    """Gives the viewer's files, and its first page for every address that is none of them."""

    protocol_version = "HTTP/1.1"
    port = 0
    authorization = ""

    def do_GET(self) -> None:
        """Answer with a file, or with what the exchange says."""
        path = self.path.partition("?")[0]
        if path.startswith(_PROXIED):
            self._hand_on()
        elif path == "/app-config.js":
            script = f"window.config = {json.dumps(_CONFIGURATION)};"
            self._answer(200, script.encode(), {"Content-Type": "text/javascript"})
        else:
            self._file(path)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _file(self, path: str) -> None:
        file = (DIST / path.lstrip("/")).resolve()
        if not file.is_relative_to(DIST) or not file.is_file():
            file = DIST / "index.html"
        told = {"Content-Type": mimetypes.guess_type(file.name)[0] or "application/octet-stream"}
        if file.suffix in _PACKED and "gzip" in self.headers.get("Accept-Encoding", ""):
            self._answer(200, _packed(file), told | {"Content-Encoding": "gzip"})
        else:
            self._answer(200, file.read_bytes(), told)

    def _hand_on(self) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {name: self.headers[name] for name in _HANDED_ON if name in self.headers}
            headers["Authorization"] = self.authorization
            upstream.request("GET", self.path, headers=headers)
            answer = upstream.getresponse()
            kept = {"content-type", "content-encoding", "etag", "cache-control", "content-range"}
            told = {k: v for k, v in answer.getheaders() if k.lower() in kept}
            self._answer(answer.status, answer.read(), told)
        finally:
            upstream.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)
