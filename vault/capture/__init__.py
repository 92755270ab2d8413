"""Record a session while it happens and deposit it when it ends; nothing touches a disk.

    capture = Capture(room, bootstrap.recording(settings), Terms(subjects=["..."]))
    capture.start()
    capture.audio("user", pcm)                  # s16le, as it comes
    capture.transcript("user", "Good morning.", confidence=0.93)
    deposited = capture.end()

For agents that hold their own audio; `vault.capture.livekit` feeds LiveKit's frames in.
"""

from vault.capture.capture import Capture, Status
from vault.capture.terms import Callbacks, Recording

__all__ = ["Callbacks", "Capture", "Recording", "Status"]
