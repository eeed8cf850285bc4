"""`python -m service.signatures.child`: makes or verifies one signature, as JSON on stdin asks, and answers with JSON on stdout.

A process of its own: model-signing takes a second to load and much memory, and parses what strangers have sent. The service
itself never has the private key in its memory.
"""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

from service.liveness import die_with

MAX_MEMORY_BYTES = 2**30
PR_SET_DUMPABLE = 4


def main() -> None:
    """The request has `digests`, and either `name` and `key` (a path), to sign; or `signature` and `keys` (PEM), to verify. The
    answer has `signature`, or `valid` (true), or `invalid` (why), or `failed` (why)."""
    die_with(os.getppid())
    if sys.platform == "linux":
        import resource

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)  # no other process of this user reads the key in its memory
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    request = json.loads(sys.stdin.buffer.read())
    with contextlib.redirect_stdout(sys.stderr):  # model-signing prints warnings
        answer = _answer(request)
    json.dump(answer, sys.stdout)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from service.signatures.errors import InvalidSignature
    from service.signatures.statement import sign, verify

    digests = request["digests"]
    try:
        if "key" in request:
            return {"signature": sign(request["name"], digests, Path(request["key"])).decode()}
        verify(digests, request["signature"].encode(), request["keys"])
    except InvalidSignature as error:
        return {"invalid": error.reason}
    except OSError as error:
        file = "the signing key" if error.filename == request.get("key") else "a temporary file"
        return {"failed": f"{file} cannot be used: {(error.strerror or 'unknown error').lower()}"}
    except (TypeError, ValueError) as error:
        return {"failed": f"the signing key cannot be used: {error}"}
    return {"valid": True}


if __name__ == "__main__":
    main()
