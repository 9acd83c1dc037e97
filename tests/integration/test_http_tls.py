"""Orders over TLS: only a server that proves its name to the system's trust ever sees a request."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
import uvloop

from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys, HttpTimeouts, NotSentError
from services.runtime.clock import SystemClock
from tests.integration.scripted_server import ScriptedServer, always, served

KEYS = AlpacaKeys("the-key-id", "the-secret")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="a certificate is made with openssl")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for `localhost` that vouches for itself; its key stands in the same file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    wanted = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "-", "-out", "-", *wanted]
    path.write_bytes(subprocess.run(made, capture_output=True, check=True).stdout)
    return path


async def ask(certificate: Path, host: str, *, times: int = 1) -> ScriptedServer:
    """Run a server with the certificate and ask it by a name; give what it saw."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with served(always(), tls) as (server, port):
        http = AlpacaHttp(f"https://{host}:{port}", KEYS, SystemClock())
        try:
            for _ in range(times):
                assert (await http.send("POST", "/v2/orders", body=b"{}")).body == b"{}"
        finally:
            await http.close()
    return server


def test_a_server_that_the_system_trusts_is_asked_over_one_connection(
    runner: asyncio.Runner, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = runner.run(ask(certificate, "localhost", times=3))
    assert (server.connections, len(server.requests)) == (1, 3)
    assert b"APCA-API-SECRET-KEY: the-secret\r\n" in server.requests[0]


def test_a_server_that_nobody_vouches_for_never_sees_a_request(runner: asyncio.Runner, certificate: Path):
    with pytest.raises(NotSentError, match="certificate verify failed") as refused:
        runner.run(ask(certificate, "localhost"))
    assert "the-secret" not in str(refused.value)


def test_a_server_with_another_ones_certificate_never_sees_a_request(
    runner: asyncio.Runner, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with pytest.raises(NotSentError, match="certificate verify failed"):
        runner.run(ask(certificate, "127.0.0.1"))


def test_a_handshake_that_never_ends_means_that_nothing_was_sent(runner: asyncio.Runner):
    async def story():
        async with served(always()) as (server, port):  # waits for the end of a head that TLS never writes
            http = AlpacaHttp(f"https://127.0.0.1:{port}", KEYS, SystemClock(), HttpTimeouts(connect_ms=50))
            with pytest.raises(NotSentError, match="in time"):
                await http.send("POST", "/v2/orders", body=b"{}")
            await http.close()
            assert server.requests == []

    runner.run(story())
