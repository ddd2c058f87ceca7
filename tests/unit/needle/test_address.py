"""Where a service is, and what silence there means."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from needle import Needle, NeedleApiError, NeedleUnreachable, address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("shop.example", "http://shop.example"),
        ("localhost:8080/", "http://localhost:8080"),
        (" https://shop.example/needle/ ", "https://shop.example/needle"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_without_a_scheme_is_http(text: str, url: str) -> None:
    assert str(address.parse(text)) == url


@pytest.mark.parametrize(
    "text", ["", "http://", "ftp://a", "a:b", "http://a:0x", "a:70000", "file:///a"]
)
def test_what_is_no_address_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(ValueError, match="is no address of a service"):
        Needle(text)


def caused(kind: type[httpx.RequestError], cause: BaseException) -> httpx.RequestError:
    """Return an error of httpx that was raised from another."""
    error = kind("[Errno -5] library's words")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("library's words"), "make up`, or name its address with NEEDLE_URL"),
        (
            caused(httpx.ConnectError, socket.gaierror()),
            "no machine is known by the name 127.0.0.1",
        ),
        (caused(httpx.ConnectError, ssl.SSLCertVerificationError()), "does not trust"),
        (caused(httpx.ConnectError, ssl.SSLError()), "is it http://"),
        (httpx.ConnectTimeout("library's words"), "was not made in time"),
        (httpx.ReadTimeout("library's words"), "did not answer in time"),
        (httpx.RemoteProtocolError("library's words"), "the connection broke off"),
        (httpx.DecodingError("library's words"), "is damaged"),
        (httpx.ProxyError("library's words"), "The proxy on the way"),
    ],
)
def test_silence_is_told_in_our_words(error: httpx.RequestError, said: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    needle = Needle("127.0.0.1:9", transport=httpx.MockTransport(answer), patience_s=0)
    for call in (needle.collections, needle.ready):
        with pytest.raises(NeedleUnreachable, match=said) as caught:
            call()
        assert "library's words" not in str(caught.value)


def test_a_refusal_without_a_state_is_a_refusal() -> None:
    body = {"error": {"code": "key_needed", "message": "A key is needed."}}
    answer = httpx.MockTransport(lambda request: httpx.Response(401, json=body))
    with pytest.raises(NeedleApiError, match="A key is needed"):
        Needle("a", transport=answer).ready()
