"""Where messages may go: never to an address inside that nobody named, whatever a name says."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from slack_server import SlackServer
from test_notifiers import LOOPBACK, TOKEN, Web, alert, clock

from monitor.core.reach import WORLD, Reach
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.judging import judged
from monitor.notifiers.slack import Slack
from monitor.notifiers.webhook import Webhook
from monitor.posting import Endpoint, first_taking, must_allow
from monitor.slack.client import Api

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "224.0.0.1", "239.255.255.255",
    "168.63.129.16", "::ffff:168.63.129.16",
    "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
    "0.0.0.1", "0.255.255.255", "172.31.0.1", "198.19.255.255", "192.0.0.192", "192.0.0.9",
    "192.31.196.1", "192.175.48.42", "192.52.193.1", "2001:4:112::42", "2620:4f:8000::42",
    "2001:3::1", "64:ff9b::192.52.193.1", "2606:4700::a9fe:a9fe",
    "192.88.99.1", "198.51.100.1", "203.0.113.1", "255.0.0.1",
    "fec0::1", "feff::1", "febf::1", "fdff::1", "ff0e::1", "100::1", "5f00::1", "4000::1", "e000::",
    "::10.0.0.1", "::127.0.0.1", "::1.1.1.1", "::ffff:0:10.0.0.1", "::ffff:0:1.1.1.1",
    "64:ff9b:1::1", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:ffff:ffff:ffff:101:101",
    "2001::1", "2001:0:a00:1::f5ff:fffe", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1", "2001:10::1", "2001:20::1", "3fff::1", "2002:101:101::", "2002:a9fe:a9fe::1",
    "fe80::5efe:10.0.0.1", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:169.254.169.254",
    "fd00::5efe:1.1.1.1", "2606:4700::1111%eth0", "1.1.1.1%eth0",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "223.255.255.1",
    "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "::ffff:1.1.1.1",
    "64:ff9b::101:101", "2606:4700::5efe:1.1.1.1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_not_reached(address: str) -> None:
    assert not WORLD.allows("example.org", address)
    assert not WORLD.allows(address, address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_world_are(address: str) -> None:
    assert WORLD.allows("example.org", address)


def test_what_is_named_is_allowed_and_nothing_beside_it() -> None:
    reach = Reach.of(["10.0.0.0/8", "192.168.1.7", "Trainer.Internal.", "fd00::/8"])
    assert reach.allows("x.example", "10.255.0.1")
    assert reach.allows("x.example", "::ffff:10.1.1.1")
    assert reach.allows("x.example", "192.168.1.7")
    assert reach.allows("x.example", "fd12::1")
    assert not reach.allows("x.example", "192.168.1.8")
    assert not reach.allows("x.example", "127.0.0.1")
    assert reach.allows("trainer.internal", "172.16.0.9")
    assert reach.allows("TRAINER.internal.", "127.0.0.1")
    assert not reach.allows("trainer.internal", "169.254.169.254")  # a name opens no credentials
    assert not reach.allows("trainer.internal", "0.0.0.0")
    assert reach.allows("trainer.internal", "fec0::7")
    assert Reach.of(["169.254.169.254"]).allows("x.example", "169.254.169.254")


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
     "fe80::a9fe:a9fe%eth0", "fd00::5efe:169.254.169.254", "fd00:ec2::23", "fd00:ec2::254",
     "fd20:ce::254",
     "100.100.100.200", "168.63.129.16", "192.0.0.192", "64:ff9b::168.63.129.16"],
)  # fmt: skip
def test_the_name_of_a_host_opens_no_place_of_credentials(address: str) -> None:
    assert not Reach.of(["trainer.internal"]).allows("trainer.internal", address)


# How an IPv6 address carries one of IPv4: what begins it, and which bytes carry it.
EMBEDDINGS = {
    "mapped": ("::ffff:0:0", (12, 13, 14, 15)),
    "compatible": ("::", (12, 13, 14, 15)),
    "translated by SIIT": ("::ffff:0:0:0", (12, 13, 14, 15)),
    "NAT64": ("64:ff9b::", (12, 13, 14, 15)),
    "NAT64 here, /96": ("64:ff9b:1::", (12, 13, 14, 15)),
    "NAT64 here, /64": ("64:ff9b:1:7::", (9, 10, 11, 12)),
    "NAT64 here, /56": ("64:ff9b:1:700::", (7, 9, 10, 11)),
    "NAT64 here, /48": ("64:ff9b:1::", (6, 7, 9, 10)),
    "NAT64 of a network of one's own, /96": ("fd00:64::", (12, 13, 14, 15)),
    "NAT64 of a network of one's own, /64": ("fd00:64:1:7::", (9, 10, 11, 12)),
    "NAT64 of a network of one's own, /56": ("fd00:64:1:700::", (7, 9, 10, 11)),
    "NAT64 of a network of one's own, /48": ("fd00:64:1::", (6, 7, 9, 10)),
    "NAT64 of a network of one's own, /40": ("fd00:64:100::", (5, 6, 7, 9)),
    "NAT64 of a network of one's own, /32": ("fd00:64::", (4, 5, 6, 7)),
    "6to4": ("2002::1", (2, 3, 4, 5)),
    "Teredo, the server": ("2001::", (4, 5, 6, 7)),
    "ISATAP": ("fd00::5efe:0:0", (12, 13, 14, 15)),
    "ISATAP, its other spelling": ("2606:4700::200:5efe:0:0", (12, 13, 14, 15)),
}
CREDENTIALS = [ip_network(text) for text in (
    "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")]  # fmt: skip
SPECIAL = [*CREDENTIALS, *(ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
    "240.0.0.0/4"))]  # fmt: skip


def carrying(form: str, address: IPv4Address) -> IPv6Address:
    begins, places = EMBEDDINGS[form]
    whole = bytearray(ip_address(begins).packed)
    for place, byte in zip(places, address.packed, strict=True):
        whole[place] = byte
    return IPv6Address(bytes(whole))


def teredo_client(address: IPv4Address) -> IPv6Address:
    hidden = bytes(255 - byte for byte in address.packed)
    return IPv6Address(IPv6Address("2001:0:4136:e378:8000:63bf::").packed[:12] + hidden)


def addresses_of(blocks: list[Any]) -> st.SearchStrategy[Any]:
    ends = [block[place] for block in blocks for place in (0, -1)]
    within = st.sampled_from(blocks).flatmap(lambda block: st.ip_addresses(network=block))
    return st.sampled_from(ends) | within


@pytest.mark.parametrize("form", EMBEDDINGS)
@given(address=addresses_of(SPECIAL))
def test_no_special_address_is_reached_inside_another(form: str, address: IPv4Address) -> None:
    assert not WORLD.allows("x.example", str(carrying(form, address)))
    assert not WORLD.allows("x.example", str(teredo_client(address)))


@pytest.mark.parametrize("form", EMBEDDINGS)
@given(address=addresses_of(CREDENTIALS))
def test_the_name_of_a_host_opens_no_credentials_inside_another_address(
    form: str, address: IPv4Address
) -> None:
    named = Reach.of(["trainer.internal"])
    for whole in (carrying(form, address), teredo_client(address)):
        assert not named.allows("trainer.internal", str(whole))
        itself = Reach.of(["trainer.internal", str(whole)])
        assert whole.ipv4_mapped or itself.allows("trainer.internal", str(whole))
    block = next(block for block in CREDENTIALS if address in block)
    both = Reach.of(["trainer.internal", str(block)])
    assert both.allows("trainer.internal", str(carrying(form, address)))


TRANSLATORS = [form for form in EMBEDDINGS if "NAT64 of" in form]


@pytest.mark.parametrize("form", TRANSLATORS)
@given(address=addresses_of(CREDENTIALS), rest=st.integers(0, 255))
def test_no_prefix_of_the_world_leads_to_credentials(
    form: str, address: IPv4Address, rest: int
) -> None:
    whole = bytearray(carrying(form, address).packed)
    whole[0:2] = 0x26, 0x06  # given out to somebody, who may have a translator
    if max(EMBEDDINGS[form][1]) < 15:
        whole[15] = rest  # what should be 0
    assert not WORLD.allows("x.example", str(IPv6Address(bytes(whole))))


@given(address=st.ip_addresses(v=4).filter(lambda a: WORLD.allows("x.example", str(a))))
def test_other_addresses_behind_a_prefix_of_the_world_are_reached(address: IPv4Address) -> None:
    assert WORLD.allows("x.example", str(IPv6Address(f"2606:4700::{address}")))


@pytest.mark.parametrize("form", EMBEDDINGS)
def test_the_name_of_a_host_opens_other_addresses_in_any_form(form: str) -> None:
    address = str(carrying(form, IPv4Address("10.1.2.3")))
    assert Reach.of(["trainer.internal"]).allows("trainer.internal", address)


def test_what_carries_an_ipv4_address_is_opened_by_either() -> None:
    reach = Reach.of(["10.0.0.0/8", "2002::/16"])
    assert reach.allows("x.example", "64:ff9b::10.1.1.1")
    assert reach.allows("x.example", "2606:4700::5efe:10.1.1.1")
    assert not reach.allows("x.example", "fd00::5efe:10.1.1.1")
    assert not reach.allows("x.example", "64:ff9b:1::10.1.1.1")
    assert reach.allows("x.example", "2002:a00:1::1")  # named itself
    assert not Reach.of(["10.0.0.0/8"]).allows("x.example", "2002:a00:1::1")


@given(address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_that_ipaddress_calls_private_is_of_the_world(address: Any) -> None:
    if WORLD.allows("example.org", str(address)):
        real = getattr(address, "ipv4_mapped", None) or address
        translated = address in ip_network("64:ff9b::/96")
        assert translated or (real.is_global and not real.is_multicast and not real.is_link_local)


@given(address=st.ip_addresses(v=4), before=st.sampled_from(["::ffff:", "64:ff9b::"]))
def test_an_ipv4_address_in_other_clothes_is_the_same_one(address: Any, before: str) -> None:
    judged = WORLD.allows("x.example", str(address))
    assert WORLD.allows("x.example", f"{before}{address}") == judged


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0", "999.1.1.1", "", "a b", "http://x", "é.x"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Reach.of([text])


# --- What is connected to ---


class Names:
    """Stands in for the name servers: answers in turn, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not name.endswith(".example"):
            return self._real(host, port, *args, **more)
        self.asked.append(name)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [a for address in found for a in self._real(address, port, *args, **more)]


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def port_of(web: Web) -> int:
    return int(web.server.server_port)


def hook(url: str, reach: Reach = WORLD, **more: Any) -> Webhook:
    return Webhook(Endpoint(url, reach=reach, **more), clock)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_posted_to_however_it_is_spelt(web: Web, host: str) -> None:
    with pytest.raises((DeliveryRefused, DeliveryDelayed)):
        hook(f"http://{host}:{port_of(web)}/x?token=hush").send(alert(), {})
    assert web.requests == []


def test_a_name_that_leads_inside_is_refused_and_says_where_it_leads(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    with pytest.raises(DeliveryRefused) as caught:
        hook(f"http://hook.example:{port_of(web)}/hush").send(alert(), {})
    assert str(caught.value) == (
        "hook.example leads to 127.0.0.1, which is not an address of the world; "
        "`allow_private_addresses: [127.0.0.1]` at the top of monitor.yaml permits it"
    )
    assert web.requests == []


@pytest.mark.parametrize("address", ["10.0.0.7", "::1", "fe80::1%eth0"])
def test_the_line_that_is_proposed_permits_it(address: str) -> None:
    with pytest.raises(DeliveryRefused) as caught:
        must_allow(WORLD, "hook.example", address)
    line = str(caught.value).split("`")[1]
    must_allow(Reach.of(yaml.safe_load(line)["allow_private_addresses"]), "hook.example", address)


def test_one_address_inside_among_several_is_enough(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(DeliveryRefused):
        hook(f"http://hook.example:{port_of(web)}/").send(alert(), {})


def test_what_was_judged_is_what_is_connected_to(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers differently the second time is not asked a second time."""
    names = Names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    hook(f"http://hook.example:{port_of(web)}/x", LOOPBACK).send(alert(), {})
    ((headers, _),) = web.requests
    assert headers["Host"] == f"hook.example:{port_of(web)}"
    assert names.asked == ["hook.example"]


def test_the_next_address_is_tried_when_one_takes_no_connection(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    reach = Reach.of(["127.0.0.0/8"])
    assert hook(f"http://hook.example:{port_of(web)}/", reach).send(alert(), {}) == {"status": 204}
    assert len(web.requests) == 1


def test_the_error_of_the_last_address_is_told() -> None:
    def connects(place: tuple[str, int]) -> str:
        if place[0] != "c":
            raise OSError(place[0])
        return "taken"

    assert first_taking([("a", 1), ("c", 1), ("b", 1)], connects) == "taken"
    with pytest.raises(OSError, match="b"):
        first_taking([("a", 1), ("b", 1)], connects)


def test_slack_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with SlackServer(TOKEN) as server:
        inside = Slack(Api(TOKEN, clock, api_url=server.api_url), "#ml-alerts")
        with pytest.raises(DeliveryRefused, match=r"127\.0\.0\.1 is not an address of the world"):
            inside.send(alert(), {})
        names = Names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        url = server.api_url.replace("127.0.0.1", "slack.example")
        with pytest.raises(DeliveryRefused, match=r"slack\.example leads to 127"):
            Slack(Api(TOKEN, clock, api_url=url), "#ml-alerts").send(alert(), {})
        names.asked.clear()
        names._answers = [["127.0.0.1"], ["127.0.0.2"]]
        Slack(Api(TOKEN, clock, api_url=url, reach=LOOPBACK), "#ml-alerts").send(alert(), {})
        assert names.asked == ["slack.example"]
        assert len(server.calls) == 1


@pytest.mark.parametrize(
    "host", ["10.0.0.7", "167772167", "0xa.7", "[fec0::7]", "[::ffff:10.0.0.7]"]
)
def test_a_proxy_is_not_asked_for_an_address_inside_however_it_is_spelt(
    web: Web, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    behind_a_proxy(web, monkeypatch)
    with pytest.raises(DeliveryRefused, match=r"is not an address of the world"):
        hook(f"http://{host}/x").send(alert(), {})
    assert web.requests == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.9.9.9"])
def test_a_proxy_is_not_asked_for_its_own_machine(
    web: Web, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    behind_a_proxy(web, monkeypatch)
    with pytest.raises((DeliveryRefused, DeliveryDelayed)):
        hook(f"http://{host}:9/x").send(alert(), {})
    assert web.requests == []


def test_a_proxy_is_asked_for_the_world(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    behind_a_proxy(web, monkeypatch)
    assert hook("http://hook.example/x").send(alert(), {}) == {"status": 204}
    assert web.requests[0][0]["Host"] == "hook.example"


def test_what_needs_no_proxy_is_not_one(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("127.0.0.1", port_of(web))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "{}:{}".format(*place))
    with judged(WORLD), pytest.raises(PermissionError, match="is not an address of the world"):
        socket.create_connection(place).close()
    monkeypatch.setenv("ALL_PROXY", "{}:{}".format(*place))
    with judged(WORLD):
        socket.create_connection(place).close()


def behind_a_proxy(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port_of(web)}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


# --- TLS to the address, with the name's certificate ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate of this test, and is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
         "-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def secure(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up on us
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_certificate_is_that_of_the_name(
    secure: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    url = f"https://hook.example:{secure.server_port}/x"
    assert hook(url, LOOPBACK).send(alert(), {}) == {"status": 204}
    other = f"https://other.example:{secure.server_port}/x"
    with pytest.raises(DeliveryDelayed, match="SSLCertVerificationError"):
        hook(other, LOOPBACK).send(alert(), {})


def test_authorities_are_read_again_when_they_are_renewed(
    secure: HTTPServer, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    channel = hook(f"https://hook.example:{secure.server_port}/x", LOOPBACK)
    bundle.write_bytes(Path(certifi.where()).read_bytes())
    with pytest.raises(DeliveryDelayed, match="SSLCertVerificationError"):
        channel.send(alert(), {})
    bundle.write_bytes((certificate / "cert.pem").read_bytes())
    assert channel.send(alert(), {}) == {"status": 204}


def test_slack_is_spoken_to_with_the_certificate_of_its_name(
    secure: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    port = secure.server_port
    for host, expected in (("hook", "Slack answered 204"), ("other", "SSLCertVerification")):
        url = f"https://{host}.example:{port}/api/"
        with pytest.raises((DeliveryDelayed, DeliveryRefused), match=expected):
            Api(TOKEN, clock, api_url=url, reach=LOOPBACK).call("api.test", {})
