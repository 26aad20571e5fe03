"""The login page: the token from the printed address becomes a cookie; where others can reach us, a name too."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from studio.errors import UserError
from studio.runs.people import LASTS
from studio.web.sessions import COOKIE, Sessions
from studio.words import LANGUAGES, say


def language_of(request: Request) -> str:
    """The language the browser asks for first, of those the catalogue has; English otherwise."""
    for part in request.headers.get("accept-language", "").split(","):
        key = part.split(";")[0].strip().lower()[:2]
        if key in LANGUAGES:
            return key
    return "en"


def _safe(then: str) -> str:
    """Only a path of ours: "//host" and "/\\host" would lead elsewhere."""
    return then if then.startswith("/") and not then.startswith(("//", "/\\")) and then.isprintable() else "/"


def _page(lang: str, ask_name: bool, token: str, then: str, message: str = "", status: int = 200) -> HTMLResponse:
    """The form, with `message` where something was wrong."""
    name = (
        f"<label>{say('web.login.name', lang)}<input name='name' required maxlength='60' autocomplete='nickname'>"
        f"<small>{say('web.login.name_help', lang)}</small></label>"
        if ask_name
        else ""
    )
    return HTMLResponse(
        f"<!doctype html><html lang='{lang}'><head><meta charset='utf-8'><title>{say('web.name', lang)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head><body>"
        f"<form method='post' action='/login'><h1>{say('web.login.title', lang)}</h1>"
        f"{f'<p role=alert>{escape(message)}</p>' if message else ''}"
        f"<label>{say('web.login.token', lang)}<input name='token' type='password' required "
        f"value='{escape(token, quote=True)}'><small>{say('web.login.token_help', lang)}</small></label>{name}"
        f"<input type='hidden' name='then' value='{escape(then, quote=True)}'>"
        f"<button>{say('web.login.go', lang)}</button></form></body></html>",
        status_code=status,
    )


def routes(sessions: Sessions, ask_name: bool) -> APIRouter:
    """GET and POST /login, POST /logout. `ask_name` is on when the server can be reached from other machines."""
    router = APIRouter()

    def page(request: Request, token: str, then: str, message: str = "", status: int = 200) -> HTMLResponse:
        return _page(language_of(request), ask_name, token, then, message, status)

    def enter(request: Request, token: str, name: str, then: str, ask: bool) -> Response:
        lang = language_of(request)
        try:
            if not sessions.check_token(token, request.client.host if request.client else ""):
                return page(request, "", then, say("web.login.wrong", lang), 403)
        except UserError as error:
            return page(request, "", then, error.text(lang), 429)
        if ask:
            return page(request, token, then)
        reply = RedirectResponse(then, status_code=303)
        reply.set_cookie(
            COOKIE,
            sessions.begin(name),
            max_age=int(LASTS),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return reply

    @router.get("/login")
    def login(request: Request, token: str = "", then: str = "/") -> Response:
        if not token:
            return page(request, "", _safe(then))
        return enter(request, token, "", _safe(then), ask=ask_name)

    @router.post("/login")
    async def login_form(request: Request) -> Response:
        form = await request.form()
        name, then = str(form.get("name", "")), _safe(str(form.get("then", "/")))
        return enter(request, str(form.get("token", "")), name, then, ask=ask_name and not name.strip())

    @router.post("/logout")
    def logout(request: Request) -> Response:
        sessions.end(request.cookies.get(COOKIE, ""))
        reply = RedirectResponse("/login", status_code=303)
        reply.delete_cookie(COOKIE)
        return reply

    return router


_STYLE = """
:root{color-scheme:light dark;--p:#FAFAF7;--i:#1B2430;--a:#0B6E69;--l:#E2E2DA;--m:#5B6675;--r:#B42318}
@media(prefers-color-scheme:dark){:root{--p:#12171F;--i:#E6EAF0;--a:#5EC9BE;--l:#2A3441;--m:#94A3B8;--r:#F58A7F}}
body{font:15px/1.5 "IBM Plex Sans","Noto Sans SC",sans-serif;background:var(--p);color:var(--i);display:grid;
place-items:center;min-height:90vh;margin:0}form{width:min(380px,90vw);display:grid;gap:16px}h1{font-size:24px;margin:0}
label{display:grid;gap:4px;font-weight:600}small{font-weight:400;color:var(--m)}p{color:var(--r);margin:0}
input{font:inherit;padding:9px 12px;border:1px solid var(--l);border-radius:8px;background:transparent;color:inherit}
button{font:inherit;font-weight:600;padding:10px;border:0;border-radius:8px;background:var(--a);color:var(--p)}
"""
