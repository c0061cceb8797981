"""The one route of the Kubernetes API that Vault asks when a pod logs in: is this account's token good?"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

NAMESPACE, UID = "otokura", "0190a000-0000-7000-8000-00000000000a"


def account_token(name: str) -> str:
    """A token as Kubernetes makes them for pods; who asks the API need not verify its signature."""
    claims = {
        "aud": ["vault"],
        "iss": "https://kubernetes.default.svc",
        "sub": f"system:serviceaccount:{NAMESPACE}:{name}",
        "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": name, "uid": UID}},
    }
    parts = [json.dumps({"alg": "RS256", "typ": "JWT"}).encode(), json.dumps(claims).encode(), b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class KubernetesApi:
    """Says yes to tokens of `account`, and counts what it is asked."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.asked = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = json.dumps(api.review(asked["spec"]["token"])).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def review(self, token: str) -> dict[str, Any]:
        self.asked += 1
        good = token == account_token(self.account)
        user = {"username": f"system:serviceaccount:{NAMESPACE}:{self.account}", "uid": UID, "groups": []}
        status: dict[str, Any] = {"authenticated": good, "audiences": ["vault"]}
        if good:
            status["user"] = user
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}

    @contextmanager
    def serving(self) -> Iterator[KubernetesApi]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
