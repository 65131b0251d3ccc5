"""Signing in by OpenID Connect (Core 1.0, authorization code flow with PKCE), by Authlib.

What must be remembered between going to the provider and coming back stands in a signed cookie of its own: the provider's answer
comes from another site, and the session's cookie is SameSite=Strict.
"""

from dataclasses import dataclass
from typing import Any

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.jwk import KeySet

from signaling import errors, ids
from signaling.config import Settings

TIMEOUT_S = 10
# What is signed with a key of the provider's own; never `none`, never our shared secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@dataclass(frozen=True)
class Provider:
    """One OpenID provider. redirect_uri: where it sends people back to; patience_s: for how long what `begin` gave is good."""

    settings: Settings
    redirect_uri: str
    patience_s: int

    def begin(self) -> tuple[str, str]:
        """(where to send somebody, what the cookie is to carry). Raises sign_in_away."""
        kept = {name: generate_token(43) for name in ("state", "nonce", "verifier")}
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._metadata(session)["authorization_endpoint"],
                state=kept["state"], code_verifier=kept["verifier"], nonce=kept["nonce"],
            )  # fmt: skip
        return str(url), str(self._signer().dumps(kept))

    def finish(self, cookie: str, state: str, code: str) -> list[str]:
        """Names of who has signed in: the subject, and the e-mail address if the provider has verified it.

        Raises not_signed_in, sign_in_away.
        """
        try:
            kept = self._signer().loads(cookie, max_age=self.patience_s)
        except BadSignature as error:
            raise errors.not_signed_in("It took too long, or cookies are off. Try again.") from error
        if not ids.same(kept["state"], state):
            raise errors.not_signed_in("The answer belongs to another attempt. Try again.")
        with self._session() as session:
            metadata = self._metadata(session)
            token = _asked(lambda: session.fetch_token(metadata["token_endpoint"], code=code, code_verifier=kept["verifier"]))
            keys = _asked(lambda: session.get(metadata["jwks_uri"], withhold_token=True, timeout=TIMEOUT_S).json())
        claims = self._checked(str(token.get("id_token", "")), keys, kept["nonce"], str(token.get("access_token", "")))
        names = [str(claims["sub"])]
        if claims.get("email") and claims.get("email_verified") is True:
            names.insert(0, str(claims["email"]))
        return names

    def _checked(self, id_token: str, keys: Any, nonce: str, access_token: str) -> dict[str, Any]:
        """The claims, if the token is the provider's, for us, for this attempt, and not over (section 3.1.3.7)."""
        client = self.settings.oidc_client_id
        values = {"iss": self.settings.oidc_issuer, "aud": client}
        options: Any = {name: {"essential": True, "value": value} for name, value in values.items()}
        try:
            decoded = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
            params = {"nonce": nonce, "client_id": client, "access_token": access_token}
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(leeway=60)
        except Exception as error:
            raise errors.not_signed_in("The provider's answer cannot be believed. Tell the administrator.") from error
        return dict(claims)

    def _session(self) -> Any:
        return OAuth2Session(
            self.settings.oidc_client_id, self.settings.oidc_client_secret, scope="openid email", redirect_uri=self.redirect_uri,
            code_challenge_method="S256", default_timeout=TIMEOUT_S,
        )  # fmt: skip

    def _metadata(self, session: Any) -> Any:
        address = get_well_known_url(self.settings.oidc_issuer, external=True)
        found = _asked(lambda: session.get(address, withhold_token=True, timeout=TIMEOUT_S).json())
        metadata = OpenIDProviderMetadata(found)
        if metadata.get("issuer") != self.settings.oidc_issuer:
            raise errors.sign_in_away("it says that it is another than LETTERBOX_OIDC_ISSUER")
        return metadata

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.settings.secret_key, salt="oidc")


def _asked(question: Any) -> Any:
    """Its answer. Raises sign_in_away: whatever goes wrong at the provider is not a fault of ours."""
    try:
        return question()
    except errors.Problem:
        raise
    except Exception as error:
        raise errors.sign_in_away(type(error).__name__) from error
