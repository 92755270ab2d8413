"""The evidence ledger on one machine: a database that only grows, and its published checkpoint.

    FOLDER/ledger.db        entries, nodes of the tree, certificates, signed checkpoints
    FOLDER/checkpoint       the newest checkpoint that was given to anyone, as a signed note

The second file finds a first one that was put back to an older state: a ledger with fewer entries
than were published, or with others, is refused. Who puts back both is found only by somebody who
holds a newer checkpoint; so they are for giving away (`ledger checkpoint`, exports, certificates).
"""

from vault.storage.evidence.ledger import EvidenceLedger

__all__ = ["EvidenceLedger"]
