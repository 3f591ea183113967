"""Which addresses may be written to: those of the world; inside only what configuration names."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_TRANSLATED = ip_network("64:ff9b::/96")  # an IPv4 address behind a translator


@dataclass(frozen=True, slots=True)
class Reach:
    """What is allowed beside the addresses of the world: networks, and hosts by name."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Reach":
        """From what people write: an address, a network, or the name of a host. ValueError.

        >>> Reach.of(["10.0.0.0/8", "trainer.internal"]).allows("trainer.internal", "192.168.1.2")
        True
        """
        networks, hosts = [], set()
        for text in texts:
            try:
                networks.append(ip_network(text))
            except ValueError:
                hosts.add(_host(text))
        return cls(tuple(networks), frozenset(hosts))

    def allows(self, host: str, address: str) -> bool:
        """Whether `host`, which leads to `address`, may be written to.

        The name of a host opens networks inside, but never the link itself (169.254.0.0/16,
        fe80::/10), where machines of a cloud ask for their credentials: that takes the address.

        >>> Reach().allows("example.org", "93.184.215.14"), Reach().allows("a.example", "10.0.0.1")
        (True, False)
        >>> Reach().allows("a.example", "::ffff:127.0.0.1")
        False
        """
        # A zone (fe80::1%eth0) says by which door, not whether.
        real = _embedded(ip_address(address.partition("%")[0]))
        if any(real in network for network in self.networks if network.version == real.version):
            return True
        if real.is_global and not real.is_multicast:
            return True
        named = host.lower().rstrip(".") in self.hosts
        return named and not (real.is_link_local or real.is_multicast or real.is_unspecified)


WORLD = Reach()  # nothing inside


def _host(text: str) -> str:
    name = text.lower().rstrip(".")
    if not name or not all(c.isascii() and (c.isalnum() or c in "-._") for c in name):
        raise ValueError(f"{text!r} is no address, network or name of a host")
    if all(c.isdigit() or c == "." for c in name):
        raise ValueError(f"{text!r} is no address; write 10.0.0.7 or 10.0.0.0/8")
    return name


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address.teredo is not None:
        inside = address.teredo[1]
    return inside or address
