"""A small OpenID provider, over real HTTP, with real signatures (OpenID Connect Core 1.0, authorization code flow, PKCE)."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "letterbox", "a secret of the tests"


class Issuer:
    """says: claims beside those it must say; signs: the key it signs with, which may be another than the one it shows."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = self.signs = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.says: dict[str, Any] = {"sub": "u1", "email": "ana@example.org", "email_verified": True}
        self._codes: dict[str, dict[str, str]] = {}

    def answer(self, method: str, path: str, query: dict[str, str], form: dict[str, str], headers: Any) -> tuple[int, Any]:
        """(status, JSON); a redirect's JSON is its address."""
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }  # fmt: skip
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/authorize":
            assert query["client_id"] == CLIENT
            assert query["response_type"] == "code"
            assert "openid" in query["scope"].split()
            assert query["code_challenge_method"] == "S256"
            code = f"code{len(self._codes)}"
            self._codes[code] = query
            return 302, query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]})
        assert (method, path) == ("POST", "/token")
        assert headers["Authorization"] == "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        assert challenge == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]} | self.says
        id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.signs)
        return 200, {"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}


@contextmanager
def running() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            query, form = ({name: values[0] for name, values in parse_qs(text).items()} for text in (parts.query, body))
            status, found = issuer.answer(self.command, parts.path, query, form, self.headers)
            self.send_response(status)
            data = b"" if status == 302 else json.dumps(found).encode()
            self.send_header("Location" if status == 302 else "Content-Type", found if status == 302 else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = handle_one

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield issuer
        server.shutdown()
