"""Who may ask: this machine's own page alone, with the token that was printed at the start.

The server listens on the loopback interface, which every page in a browser can reach. A foreign
page doesn't know the token; a name that is made to point here (DNS rebinding) is refused by its
Host; what changes something must come from our own origin.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suanzi.workbench.messages import ErrorInfo, encode

LOCAL = ("127.0.0.1", "localhost", "::1")
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
FOREVER = "private, max-age=31536000, immutable"
"""The page's own files: their names change with their contents."""
SAFE = ("GET", "HEAD")


class Guard:
    """The outermost layer: refuses strangers, and adds the headers that keep pages apart."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token
        # Cookies don't know ports: a second workbench must not overwrite the first one's.
        self.cookie = f"suanzi-{token[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                kept = scope["path"].startswith("/assets/") and message["status"] == 200
                headers["Cache-Control"] = FOREVER if kept else "no-store"
            await send(message)

        answer = self._check(scope)
        await (answer or self.app)(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> Response | None:
        """The answer to a stranger, or to who brings the token; None: let pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(host) not in LOCAL:
            return _refusal(scope, "the request's Host isn't this machine", found=host)
        origin = headers.get("origin")
        same = origin is not None and urlsplit(origin).netloc.lower() == host.lower()
        if (origin is not None or scope["method"] not in SAFE) and not same:
            return _refusal(scope, "the request comes from another page", found=origin or "none")
        foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        if foreign and scope["path"] != "/":  # a link to the page itself does no harm
            return _refusal(scope, "the request comes from another page", found="another site")
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and self._is_token(given):
            entry = RedirectResponse("/", 303)
            entry.set_cookie(self.cookie, self.token, httponly=True, samesite="lax", path="/")
            return entry
        if not (self._is_token(self._cookie(headers)) or self._is_token(_bearer(headers))):
            return _refusal(scope, "the token is missing or wrong", found=None)
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _cookie(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self.cookie].value if self.cookie in cookies else ""


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _bearer(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""


def _refusal(scope: Scope, message: str, found: str | None) -> Response:
    hint = "Use the address that `suanzi open` has printed"
    if scope["path"].startswith("/api"):
        text = f"{message}. {hint}"
        info = ErrorInfo(message, text, found=found, hint=hint)
        return Response(encode(info), 403, media_type="application/json")
    return PlainTextResponse(f"Suanzi: {message}. {hint}.\n", 403)
