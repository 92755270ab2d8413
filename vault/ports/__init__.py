"""What the archive needs from the world, in words that every adapter must keep.

Each port has one conformance suite in tests/conformance, run on every adapter against a
real server. Adapters translate foreign errors once, at their own edge, to vault.errors.
"""

from vault.ports.catalogue import Catalogue
from vault.ports.erasure import ErasureRecord
from vault.ports.finding import Finding
from vault.ports.keys import KeyManagement
from vault.ports.ledger import Entry, Ledger
from vault.ports.objects import Buffer, Lock, ObjectStore, Stored
from vault.ports.outside import Clock, Queue
from vault.ports.sessions import NewSession
from vault.ports.transaction import Transaction

__all__ = [
    "Buffer",
    "Catalogue",
    "Clock",
    "Entry",
    "ErasureRecord",
    "Finding",
    "KeyManagement",
    "Ledger",
    "Lock",
    "NewSession",
    "ObjectStore",
    "Queue",
    "Stored",
    "Transaction",
]
