"""Strangers are refused, whatever they try."""

import httpx2
import pytest

PATHS = ["/", "/api/state", "/api/events", "/assets/x.js", "/api/nothing"]


def bare(page, method="GET", path="/api/state", **headers):
    """A request with these headers alone."""
    request = httpx2.Request(method, f"http://127.0.0.1:8000{path}", headers=headers)
    return page.client.send(request)


def token(page):
    return page.client.headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token(page, path):
    answer = bare(page, path=path)
    assert answer.status_code == 403
    assert token(page) not in answer.text
    assert "token" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer tökén".encode()},
        {"cookie": "suanzi-T0kenT0k=wrong"},
        {"cookie": "other=T0kenT0kenT0kenT0ken"},
        {"cookie": "a=\x01; b"},
    ],
)
def test_with_a_wrong_token(page, headers):
    assert bare(page, **headers).status_code == 403


def test_the_address_that_was_printed(page):
    answer = bare(page, path=f"/?token={token(page)}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert bare(page, cookie=cookie.partition(";")[0]).status_code == 200
    assert bare(page, path="/?token=wrong").status_code == 403
    # Only the page itself takes it from the address.
    assert bare(page, path=f"/api/state?token={token(page)}").status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:9999", 200),  # the other end of a tunnel
        ("[::1]:8000", 200),
        ("LOCALHOST", 200),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("evil.example@127.0.0.1", 200),  # a browser never sends it: the name is still ours
        ("[::1", 403),
        ("", 403),
    ],
)
def test_other_hosts(page, host, status):
    answer = bare(page, authorization=f"Bearer {token(page)}", host=host)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("GET", None, 200),
        ("GET", "http://127.0.0.1:8000", 200),
        ("GET", "http://evil.example", 403),
        ("GET", "null", 403),
        ("GET", "http://127.0.0.1:9000", 403),  # another server on this machine
        ("POST", None, 403),
        ("POST", "http://evil.example", 403),
        ("POST", "null", 403),
        ("DELETE", None, 403),
    ],
)
def test_other_origins(page, method, origin, status):
    headers = {"authorization": f"Bearer {token(page)}"} | ({"origin": origin} if origin else {})
    path = "/api/state" if method == "GET" else "/api/documents/d999"
    assert bare(page, method, path, **headers).status_code == status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites(page, site):
    headers = {"authorization": f"Bearer {token(page)}", "sec-fetch-site": site}
    assert bare(page, **headers).status_code == 403
    answer = bare(page, path=f"/?token={token(page)}", **{"sec-fetch-site": site})
    assert answer.status_code == 303  # a link to the page, from wherever


@pytest.mark.parametrize("path", PATHS)
def test_headers_of_every_answer(page, path):
    for headers in ({}, {"authorization": f"Bearer {token(page)}"}):
        if path == "/api/events" and headers:
            continue  # it never ends
        answer = bare(page, path=path, **headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/../app.py",
        "/assets//etc/passwd",
        "/api/samples/..%2f..%2fmnist-8.onnx",
        "/api/samples/%2e%2e",
    ],
)
def test_paths_that_lead_elsewhere(page, path):
    answer = bare(page, path=path, authorization=f"Bearer {token(page)}")
    assert answer.status_code == 404
