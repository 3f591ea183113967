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

_TRANSLATED = IPv6Network("64:ff9b::/96")  # an IPv4 address behind a translator
# Which bytes are the IPv4 address behind a translator, by how long its prefix is (RFC 6052). The
# byte between them and what follows should be 0; a translator need not look whether they are.
_PLACES = {
    32: (4, 5, 6, 7),
    40: (5, 6, 7, 9),
    48: (6, 7, 9, 10),
    56: (7, 9, 10, 11),
    64: (9, 10, 11, 12),
    96: (12, 13, 14, 15),
}
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}  # what stands before an IPv4 address in the last 64 bits
_UNICAST = IPv6Network("2000::/3")  # all that was ever given out
# Given out, and yet no machine's: for protocols and tunnels, for documentation, for whoever is
# nearest (name servers of AS112, relays of AMT). What ipaddress says of them differs between
# versions of Python.
_NOBODYS = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
                 "192.175.48.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48",
                 "3fff::/20")
)  # fmt: skip
# Where machines of a cloud ask for their credentials, beside the link itself; some have addresses
# that look like any of the world.
_CREDENTIALS = {
    ip_address(text)
    for text in (
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
}


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

        1. What is named is allowed: an address by itself, or by the IPv4 address it stands for.
        2. So are addresses that one machine of the world has. What only carries an IPv4 address
           is judged by that, too; tunnels, whose other end cannot be known, are none.
        3. The name of a host opens networks inside, tunnels among them.
        4. The link itself (169.254.0.0/16, fe80::/10) and other places where machines of a cloud
           ask for their credentials are opened by their address alone, and so is whatever may
           lead there: an IPv6 address that carries one of them, at any place where NAT64, 6to4,
           Teredo or ISATAP would look for it. One address of the world in some ten thousand
           carries one by chance, and has to be named itself.

        >>> Reach().allows("example.org", "93.184.215.14"), Reach().allows("a.example", "10.0.0.1")
        (True, False)
        >>> Reach().allows("a.example", "::ffff:127.0.0.1")
        False
        """
        bare, _, zone = address.partition("%")  # fe80::1%eth0: by which door
        whole = ip_address(bare)
        if self._names(whole):
            return True
        faces = _faces(whole)
        if any(_has_credentials(a) and not self._names(a) for a in (*faces, *_carried(whole))):
            return False
        if not zone and all(_is_of_the_world(face) or self._names(face) for face in faces):
            return True
        return host.lower().rstrip(".") in self.hosts and all(map(_is_of_a_machine, faces))

    def _names(self, address: Address) -> bool:
        """Whether it is in a network that is allowed."""
        return any(address in n for n in self.networks if n.version == address.version)


WORLD = Reach()  # nothing inside


def _host(text: str) -> str:
    name = text.lower().rstrip(".")
    if not name or not all(c.isascii() and (c.isalnum() or c in "-._") for c in name):
        raise ValueError(f"{text!r} is no address, network or name of a host")
    if all(c.isdigit() or c == "." for c in name):
        raise ValueError(f"{text!r} is no address; write 10.0.0.7 or 10.0.0.0/8")
    return name


def _faces(address: Address) -> tuple[Address, ...]:
    """What an address stands for: itself, an IPv4 address instead, or one beside it."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    last = IPv4Address(address.packed[-4:])
    if address in _TRANSLATED:
        return (last,)
    if int.from_bytes(address.packed[8:12]) in _ISATAP:
        return address, last
    return (address,)


def _carried(address: Address) -> tuple[Address, ...]:
    """Every IPv4 address that may be led to by one of IPv6; which one is for others to say.

    Any network may have a translator of its own, under any prefix.
    """
    if isinstance(address, IPv4Address):
        return ()
    whole = address.packed
    found = [IPv4Address(bytes(whole[i] for i in places)) for places in _PLACES.values()]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)  # the server and the client
    return tuple(found)


def _has_credentials(address: Address) -> bool:
    """Whether machines of a cloud may ask for their credentials there."""
    return address.is_link_local or address in _CREDENTIALS


def _is_of_the_world(address: Address) -> bool:
    """Whether it is the address of one machine that anybody may reach."""
    if any(address in network for network in _NOBODYS if network.version == address.version):
        return False
    if isinstance(address, IPv6Address):
        return address in _UNICAST
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_of_a_machine(address: Address) -> bool:
    """Whether one machine may have it, wherever it is."""
    return not (address.is_multicast or address.is_unspecified)
