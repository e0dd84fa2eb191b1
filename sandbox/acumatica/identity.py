"""Sign-in by OAuth 2.0 and by cookie (facts/acumatica.md §1)."""

import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox.acumatica.sessions import COOKIE_IDLE, Seats, login_limit
from sandbox.acumatica.switches import Switches
from sandbox.acumatica.wire import answer, failure, message
from sandbox.data import credentials

LIFETIME = 3600
MANY = "api:concurrent_access"
SCOPES = {"api", MANY, "offline_access", "openid", "profile", "email", "phone"}


@dataclass
class Grant:
    """One sign-in. `refresh` is the only refresh token that is good now."""

    id: str
    scope: str
    refresh: str | None = None
    used: set[str] = field(default_factory=set)
    dead: bool = False


@dataclass
class Token:
    """An access token: opaque, good for an hour."""

    text: str
    grant: Grant
    ends: float
    dead: bool = False

    @property
    def owner(self) -> str:
        """Who holds the session: the grant with offline_access, else the token itself (§1.7)."""
        return f"grant {self.grant.id}" if "offline_access" in self.grant.scope.split() else f"token {self.text}"


class Identity:
    """The site's grants, tokens and cookies."""

    def __init__(self, switches: Switches, seats: Seats, clock: Callable[[], float] = time.monotonic) -> None:
        self.switches, self.seats, self.clock = switches, seats, clock
        #: What is good now. A changed one takes effect at the next sign-in or refresh: tokens live on.
        self.secrets = {"client_secret": credentials.ACUMATICA_CLIENT_SECRET, "password": credentials.ACUMATICA_PASSWORD}
        self._tokens: dict[str, Token] = {}
        self._grants: list[Grant] = []
        self._codes: dict[str, tuple[str, str]] = {}  # of the authorization_code grant: where it goes, what for

    async def discovery(self, request: Request) -> Response:
        """GET /identity/.well-known/openid-configuration"""
        base = f"{request.url.scheme}://{request.url.netloc}{self.switches.root}/identity"
        return answer(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/connect/authorize",
                "token_endpoint": f"{base}/connect/token",
                "userinfo_endpoint": f"{base}/connect/userinfo",
                "revocation_endpoint": f"{base}/connect/revocation",
                "scopes_supported": sorted(SCOPES),
                "grant_types_supported": ["authorization_code", "implicit", "password", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        )

    async def token(self, request: Request) -> Response:
        """POST /identity/connect/token"""
        form = await _form(request)
        if not self._client_is_known(form):
            return _oauth_error("invalid_client")
        match form.get("grant_type"):
            case "password":
                return self._by_password(form)
            case "refresh_token":
                return self._by_refresh(form.get("refresh_token"))
            case "authorization_code":
                return self._by_code(form)
            case "client_credentials":
                return _oauth_error("unauthorized_client")
            case None:
                return _oauth_error("invalid_request")
        return _oauth_error("unsupported_grant_type")

    def _client_is_known(self, form: dict[str, str]) -> bool:
        return (form.get("client_id"), form.get("client_secret")) == (credentials.ACUMATICA_CLIENT_ID, self.secrets["client_secret"])

    async def authorize(self, request: Request) -> Response:
        """GET /identity/connect/authorize: the user agrees at once; a redirect with a code that is good once (§1.2)."""
        asked = request.query_params
        scope, target = asked.get("scope", "api"), asked.get("redirect_uri", "")
        if asked.get("response_type") != "code" or asked.get("client_id") != credentials.ACUMATICA_CLIENT_ID or not target:
            return _oauth_error("invalid_request")
        if not scope.split() or not set(scope.split()) <= SCOPES:
            return _oauth_error("invalid_scope")
        code = secrets.token_urlsafe(32)
        self._codes[code] = (target, scope)
        query = urlencode({"code": code} | ({"state": asked["state"]} if "state" in asked else {}))
        return Response(status_code=302, headers={"Location": f"{target}{'&' if '?' in target else '?'}{query}"})

    def _by_code(self, form: dict[str, str]) -> Response:
        target, scope = self._codes.pop(form.get("code", ""), (None, ""))
        if target is None or form.get("redirect_uri") != target:
            return _oauth_error("invalid_grant")
        return self._granted(scope)

    def _by_password(self, form: dict[str, str]) -> Response:
        scope = form.get("scope", "api")
        if not scope.split() or not set(scope.split()) <= SCOPES:
            return _oauth_error("invalid_scope")
        if (form.get("username"), form.get("password")) != (credentials.ACUMATICA_USER, self.secrets["password"]):
            return _oauth_error("invalid_grant", "The user name or password is not valid.")
        return self._granted(scope)

    def _granted(self, scope: str) -> Response:
        grant = Grant(str(uuid.uuid4()), scope)
        self._grants.append(grant)
        return self._issue(grant)

    def _by_refresh(self, text: str | None) -> Response:
        """A new pair of tokens; the refresh token that was shown is dead from then on."""
        if not text:
            return _oauth_error("invalid_request")
        for grant in self._grants:
            if text in grant.used and self.switches.refresh_reuse_ends_grant:
                grant.dead = True
            if text == grant.refresh and not grant.dead:
                grant.used.add(text)
                return self._issue(grant)
        return _oauth_error("invalid_grant")

    def _issue(self, grant: Grant) -> Response:
        token = Token(secrets.token_urlsafe(32), grant, self.clock() + LIFETIME)
        self._tokens[token.text] = token
        scopes = grant.scope.split()
        body: dict[str, Any] = {}
        if "openid" in scopes:
            body["id_token"] = secrets.token_urlsafe(32)
        if {"api", MANY} & set(scopes):
            body |= {"access_token": token.text, "expires_in": LIFETIME, "token_type": "Bearer"}
        if "offline_access" in scopes:
            grant.refresh = secrets.token_urlsafe(32)
            body["refresh_token"] = grant.refresh
        return answer({**body, "scope": grant.scope}, headers={"Cache-Control": "no-store"})

    async def revoke(self, request: Request) -> Response:
        """POST /identity/connect/revocation: the token is dead; the seat stays taken (§1.7)."""
        form = await _form(request)
        if not self._client_is_known(form):
            return _oauth_error("invalid_client")
        text = form.get("token", "")
        if text in self._tokens:
            self._tokens[text].dead = True
        for grant in self._grants:
            if text == grant.refresh:
                grant.refresh = None
        return Response(status_code=200)

    async def login(self, request: Request) -> Response:
        """POST /entity/auth/login"""
        body = await _login_body(request)
        tenant = body.get("tenant", body.get("company"))
        if self.switches.multi_tenant and tenant != credentials.ACUMATICA_TENANT:
            text = "A proper company ID cannot be determined for the request."
            raise failure(text, "PX.Data.PXUndefinedCompanyException", "PX.Data.PXLogin.LoginUser(String& userName)")
        if (body.get("name"), body.get("password")) != (credentials.ACUMATICA_USER, self.secrets["password"]):
            text = "Invalid credentials. Please try again."
            raise failure(text, "PX.Data.PXException", "PX.Data.PXLogin.LoginUser(String& userName, String password)")
        cookie = secrets.token_hex(12)
        if self.seats.use(f"cookie {cookie}", idle=COOKIE_IDLE) is None:
            return login_limit(self.switches.login_limit_shape)
        response = Response(status_code=204)
        response.set_cookie("ASP.NET_SessionId", cookie, httponly=True, samesite=None)
        response.set_cookie(".ASPXAUTH", secrets.token_hex(32).upper(), httponly=True, samesite=None)
        response.headers.append("Set-Cookie", "UserBranch=16; path=/")
        response.headers.append("Set-Cookie", "Locale=Culture=en-US&TimeZone=GMTE0000U; path=/")
        response.headers.append("Set-Cookie", f"CompanyID={tenant or credentials.ACUMATICA_TENANT}; path=/")
        return response

    def caller(self, request: Request) -> tuple[str, Token | None] | None:
        """Who makes this call: the owner of its session and its token (None with a cookie). None: nobody that we know."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = self._tokens.get(text.strip())
            good = token is not None and not token.dead and not token.grant.dead and self.clock() < token.ends
            if token is None or not good or not {"api", MANY} & set(token.grant.scope.split()):
                return None
            return self._one_of_many(token, request) if MANY in token.grant.scope.split() else (token.owner, token)
        owner = f"cookie {request.cookies.get('ASP.NET_SessionId', '')}"
        return (owner, None) if self.seats.has(owner) else None

    def _one_of_many(self, token: Token, request: Request) -> tuple[str, Token]:
        """With `api:concurrent_access` a session is a cookie; a call without one opens another session and is given one."""
        owner = f"token {token.text} {request.cookies.get('ASP.NET_SessionId', '')}"
        if not self.seats.has(owner):
            request.state.cookie = secrets.token_hex(12)
            owner = f"token {token.text} {request.state.cookie}"
        return owner, token


def _oauth_error(code: str, description: str | None = None) -> Response:
    return answer({"error": code} | ({"error_description": description} if description else {}), 400)


async def _form(request: Request) -> dict[str, str]:
    text = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


async def _login_body(request: Request) -> dict[str, str]:
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return await _form(request)
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise message(400, "An exception occurred during input parsing")
    return {str(name): str(value) for name, value in body.items()}
