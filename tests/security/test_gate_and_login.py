"""The gate on the real application: who is let in, what other sites can do, what stands open, what headers say."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from spoken import check_answer

from studio.errors import UserError
from studio.web.server import address_of, make_app, named_hosts
from studio.web.sessions import COOKIE, Sessions, access_token

OPEN = {"/login", "/healthz"}


def all_paths(app: object) -> set[str]:
    """Every route of the parent and of both Gradio pages, with its parameters filled in."""
    found = set()

    def walk(routes: list[object], prefix: str) -> None:
        for route in routes:
            # A mounted application, or a router that was included (its paths are whole already).
            inner = getattr(route, "original_router", None) or getattr(route, "app", None)
            path = prefix + (getattr(route, "path", None) or "")
            if getattr(inner, "routes", None):
                walk(inner.routes, path)  # type: ignore[union-attr]
            else:
                found.add(re.sub(r"\{[^}]*\}", "x", path) or "/")

    walk(app.app.routes, "")  # type: ignore[attr-defined]
    return found


def test_only_the_login_and_the_health_check_answer_a_stranger(site, stranger):
    paths = all_paths(site[1])
    assert {"/api/runs", "/en/gradio_api/queue/join", "/zh/gradio_api/upload"} <= paths, "the walk has lost its way"
    answered = set()
    for path in sorted(paths):
        for method in ("GET", "POST", "DELETE", "PUT"):
            reply = stranger.request(method, path)
            if reply.status_code not in (401, 403):
                answered.add(path)
    assert answered <= OPEN, f"answers without a login: {sorted(answered - OPEN)}"


def test_pages_lead_a_stranger_to_the_login_and_back(stranger):
    reply = stranger.get("/en/?tab=runs&run=r-1", headers={"accept": "text/html"})
    assert reply.status_code == 303
    assert reply.headers["location"] == "/login?then=%2Fen%2F%3Ftab%3Druns%26run%3Dr-1"


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(site, stranger):
    reply = stranger.get("/login", params={"token": access_token(site[0].workspace.home), "then": "/en/"})
    cookie = reply.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert reply.headers["location"] == "/en/"


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_leads_nowhere_else(site, stranger, then):
    reply = stranger.get("/login", params={"token": access_token(site[0].workspace.home), "then": then})
    assert reply.headers["location"] == "/"


ATTACKS = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
    {"sec-fetch-site": "cross-site"},
]
WRITES = [
    ("POST", "/api/samples/help_desk/train"),
    ("POST", "/api/runs/r-1/delete"),
    ("POST", "/en/gradio_api/upload"),
    ("POST", "/en/gradio_api/queue/join"),
    ("POST", "/en/gradio_api/component_server"),
    ("POST", "/login"),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_another_site_changes_nothing(analyst, attack, method, path):
    reply = analyst.request(method, path, headers=attack, content=b"{}")
    assert reply.status_code == 403
    assert not [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/api/runs", "/en/config", "/en/"])
def test_another_site_reads_nothing(analyst, path):
    for attack in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        assert analyst.get(path, headers=attack).status_code == 403
    assert not [name for name in analyst.get(path).headers if name.startswith("access-control-")]


def test_headers_of_every_answer(analyst, stranger):
    for reply in (analyst.get("/en/"), analyst.get("/api/runs"), stranger.get("/nowhere")):
        assert "frame-ancestors 'self'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_docs_and_monitoring_are_off(analyst):
    for path in ("/docs", "/openapi.json", "/redoc", "/en/monitoring", "/en/gradio_api/monitoring/summary", "/en/docs"):
        assert analyst.get(path).status_code in (403, 404), path


def test_a_large_body_is_refused_before_it_is_read(analyst):
    assert analyst.post("/api/samples/x/open", content=b"x" * (6 * 1024 * 1024)).status_code == 413


def test_a_chunked_body_cannot_hide_its_size(analyst):
    pieces = (b"x" * 1024 * 1024 for _ in range(8))
    reply = analyst.post("/api/runs/r-1/rename", content=pieces, headers={"content-type": "application/json"})
    assert reply.status_code >= 400


def test_wrong_tokens_are_slowed_down(site):
    sessions = Sessions(site[0].people, "right")
    assert not any(sessions.check_token(f"wrong{number}") for number in range(5))
    with pytest.raises(UserError) as caught:
        sessions.check_token("the sixth has to wait")
    assert caught.value.code == "login_slow"


def test_wrong_tokens_of_strangers_lock_nobody_out(site):
    sessions = Sessions(site[0].people, "right")
    for number in range(5):
        assert not sessions.check_token(f"wrong{number}", "192.0.2.1")
    with pytest.raises(UserError):
        sessions.check_token("wrong", "192.0.2.1")
    assert not sessions.check_token("a typing mistake", "192.0.2.2")
    assert sessions.check_token("right", "192.0.2.1")
    assert sessions.check_token("right")


def test_addresses_that_guess_are_not_remembered_without_end(site, monkeypatch):
    from studio.web import sessions as room

    monkeypatch.setattr(room, "MOST_ADDRESSES", 10)
    sessions = Sessions(site[0].people, "right")
    for number in range(50):
        sessions.check_token("wrong", f"192.0.2.{number}")
    assert len(sessions._failures) == 10


def test_the_token_file_is_for_its_owner_only(site):
    file = site[0].workspace.home / "token"
    assert file.stat().st_mode & 0o077 == 0
    assert len(file.read_text()) >= 32


def test_a_name_is_asked_where_others_can_reach_us(site):
    client = TestClient(
        make_app(site[0], {"127.0.0.1"}, ask_name=True), base_url="http://127.0.0.1", follow_redirects=False
    )
    token = access_token(site[0].workspace.home)
    assert "name='name'" in client.get("/login", params={"token": token}).text
    assert client.post("/login", data={"token": token, "name": " "}).status_code == 200
    assert client.post("/login", data={"token": token, "name": "Ann <b>"}).status_code == 303
    assert "Ann <b>" in client.get("/api/state").json()["person"]


def test_the_local_persons_name_gives_nobody_their_runs(site):
    client = TestClient(
        make_app(site[0], {"127.0.0.1"}, ask_name=True), base_url="http://127.0.0.1", follow_redirects=False
    )
    client.post("/login", data={"token": access_token(site[0].workspace.home), "name": "local"})
    assert client.get("/api/state").json()["named"]
    assert Sessions(site[0].people, "t").who(client.cookies[COOKIE]).id != "local"


def test_who_gave_a_name_can_leave(site):
    client = TestClient(
        make_app(site[0], {"127.0.0.1"}, ask_name=True), base_url="http://127.0.0.1", follow_redirects=False
    )
    client.post("/login", data={"token": access_token(site[0].workspace.home), "name": "Ann"})
    secret = client.cookies[COOKIE]
    assert client.get("/api/state").json()["named"]
    assert client.get("/logout").status_code == 405
    reply = client.post("/logout")
    assert (reply.status_code, reply.headers["location"]) == (303, "/login")
    assert COOKIE not in client.cookies
    assert client.get("/api/state", headers={"cookie": f"{COOKIE}={secret}"}).status_code == 401


def test_the_local_person_has_nothing_to_leave(analyst):
    assert not analyst.get("/api/state").json()["named"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:7860"),
        ("localhost", "http://127.0.0.1:7860"),
        ("0.0.0.0", "http://127.0.0.1:7860"),
        ("::", "http://[::1]:7860"),
        ("::1", "http://[::1]:7860"),
        ("2001:db8::5", "http://[2001:db8::5]:7860"),
        ("192.0.2.7", "http://192.0.2.7:7860"),
    ],
)
def test_the_printed_address_is_one_that_somebody_listens_on(host, shown):
    assert address_of(host, 7860) == shown


def test_a_server_answers_to_its_further_names_and_no_others(site):
    app = make_app(site[0], {"127.0.0.1"} | named_hosts(["Studio.example.org"]), ask_name=True)
    client = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
    for host, status in (("studio.example.org", 200), ("studio.example.org:8443", 200), ("other.example.org", 403)):
        assert client.get("/login", headers={"host": host}).status_code == status


@pytest.mark.parametrize("name", ["", "*", "*.example.org", "http://a.example", "a.example:80", "a/b", "[::1"])
def test_what_is_no_host_name_is_refused(name):
    with pytest.raises(UserError) as caught:
        named_hosts([name])
    assert caught.value.code == "host_name"


def test_a_session_ends(site, analyst):
    sessions = Sessions(site[0].people, "t")
    secret = sessions.begin("Bob")
    assert sessions.who(secret).name == "Bob"
    sessions.end(secret)
    assert sessions.who(secret) is None
    assert sessions.who("forged") is None


BAD_IDS = ["..", "%2e%2e%2fetc", "r-1%00", "x" * 300, "r-does-not-exist", "<script>"]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_made_up_ids_get_a_sentence(analyst, bad):
    for path in ("live", "report", "log", "rows?truth=a&answer=b", "download"):
        reply = analyst.get(f"/api/runs/{bad}/{path}")
        assert reply.status_code in (400, 404), (path, reply.status_code)
        assert "Traceback" not in reply.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_an_unreadable_request_gets_a_sentence_in_the_pages_language(analyst, body):
    reply = analyst.post("/api/runs/r-1/rename?lang=zh", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    check_answer(reply.json(), "request_unreadable", "zh")
