"""The peers that `python -m benchmarks peers` knows. A new one is a module beside this one, and a line here."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import koz4k
from benchmarks.peers.peer import Peer
from impls.errors import UserError

PEERS = (koz4k.PEER,)


def peer_of(checkout: Path) -> Peer:
    """The peer whose checkout a folder is.

    Raises:
        UserError: it is none; the message names the known ones.
    """
    known = ", ".join(peer.repository for peer in PEERS)
    if not checkout.is_dir():
        raise UserError(f"there is no folder {checkout}; clone one of: {known}")
    for peer in PEERS:
        if peer.has(checkout):
            return peer
    raise UserError(f"{checkout} is not a checkout of a repository that is known here: {known}")


def clone_commands() -> str:
    """The commands that make the checkouts."""
    return "; ".join(f"git clone https://github.com/{peer.repository}" for peer in PEERS)
