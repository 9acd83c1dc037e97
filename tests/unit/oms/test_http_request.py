"""Requests are written as they must stand on the wire, and secrets stay out of complaints."""

import pytest

from services.oms.brokers.http_request import Address, RequestWriter

KEYS = {"APCA-API-KEY-ID": "the-key-id"}


def written(base_url: str, method: str, path: str, params: dict[str, str] | None = None, body: bytes | None = None):
    return RequestWriter(Address.of(base_url), KEYS).write(method, path, params, body)


def test_a_request_is_one_head_and_one_body():
    assert written("http://127.0.0.1:8080", "POST", "/v2/orders", body=b"{}") == (
        b"POST /v2/orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: lockgate\r\nAccept-Encoding: identity\r\n"
        b"APCA-API-KEY-ID: the-key-id\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_request_without_a_body_speaks_of_none():
    assert written("http://127.0.0.1:8080", "GET", "/v2/clock") == (
        b"GET /v2/clock HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: lockgate\r\nAccept-Encoding: identity\r\n"
        b"APCA-API-KEY-ID: the-key-id\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        (
            "/v2/orders:by_client_order_id",
            {"client_order_id": "lg-1"},
            "/v2/orders:by_client_order_id?client_order_id=lg-1",
        ),
        ("/v2/orders", {"after": "2026-11-23T00:00:00+00:00"}, "/v2/orders?after=2026-11-23T00%3A00%3A00%2B00%3A00"),
        ("/v2/orders", {"a": "x y&z=1", "b": "é"}, "/v2/orders?a=x%20y%26z%3D1&b=%C3%A9"),
        ("/v2/orders/a b\r\nX: 1?#%é", {}, "/v2/orders/a%20b%0D%0AX:%201%3F%23%25%C3%A9"),
    ],
)
def test_path_and_parameters_are_percent_encoded(path: str, params: dict[str, str], target: str):
    assert written("http://h/base/", "GET", path, params).startswith(f"GET /base{target} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        (
            "https://paper-api.alpaca.markets",
            Address("https", "paper-api.alpaca.markets", 443, ""),
            "paper-api.alpaca.markets",
        ),
        ("https://h:443/", Address("https", "h", 443, ""), "h"),
        ("https://h:80", Address("https", "h", 80, ""), "h:80"),
        ("http://h/trading/v1/", Address("http", "h", 80, "/trading/v1"), "h"),
        ("http://[::1]:8080/x", Address("http", "::1", 8080, "/x"), "[::1]:8080"),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: Address, authority: str):
    assert Address.of(url) == address
    assert address.authority == authority


@pytest.mark.parametrize(
    "url",
    ["", "ftp://h", "h:80", "http://", "http://secret@h", "http://h/?secret", "http://h/#secret", "http://h:99999"],
)
def test_a_url_that_no_request_can_go_to_is_refused(url: str):
    with pytest.raises(ValueError, match=r"URL|ort") as refused:
        Address.of(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["secret\r\nX: 1", "secret\n", "sécret", "secret\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_unshown(key: str):
    with pytest.raises(ValueError, match="APCA-API-KEY-ID") as refused:
        RequestWriter(Address.of("http://h"), {"APCA-API-KEY-ID": key})
    assert "cret" not in str(refused.value)
