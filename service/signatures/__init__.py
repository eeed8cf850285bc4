"""Signatures of versions in the format of OpenSSF model-signing, by elliptic keys."""
