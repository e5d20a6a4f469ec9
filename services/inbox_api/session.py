"""Who is asking: a bearer token or the session cookie; everything else is refused."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.inbox_api.context import Context
from shared.registry.operators import SESSION, Operator

COOKIE = "okno_session"
WRONG_SIGN_IN = "the e-mail address or the password is wrong"
GUARD = "x-okno"
"""A header that no foreign page can send along with the cookie without being asked by CORS."""


async def signed_in(request: Request, context: Context) -> Operator:
    """Return the operator. Raises 401, and 403 for a change with the cookie but without the guard header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        operator = await context.operators.of_token(token.strip(), ("api",))
    elif cookie := request.cookies.get(COOKIE):
        operator = await context.operators.of_token(cookie, ("session",))
        if operator and request.method not in ("GET", "HEAD") and GUARD not in request.headers:
            raise HTTPException(403, f"a change made with the session cookie needs the header {GUARD}: 1")
    else:
        operator = None
    if operator is None:
        raise HTTPException(401, "sign in, or send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
    return operator


async def start_session(request: Request, response: Response, context: Context, operator: Operator) -> Response:
    """Give the browser its cookie. Raises 401 for who was locked in this moment."""
    if (token := await context.operators.begin_session(operator.id)) is None:
        raise HTTPException(401, WRONG_SIGN_IN)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


async def end_session(request: Request, response: Response, context: Context) -> Response:
    """Revoke the cookie's token and take the cookie back."""
    if cookie := request.cookies.get(COOKIE):
        await context.operators.revoke(cookie)
    response.delete_cookie(COOKIE)
    return response
