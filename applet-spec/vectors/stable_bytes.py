"""Bytes that look random and are the same at every run, so that vectors can be made again."""

import hashlib
import json
import pathlib
import re


def stable_bytes(name, length):
    stream = b""
    block = 0
    while len(stream) < length:
        stream += hashlib.sha256(f"{name}/{block}".encode()).digest()
        block += 1
    return stream[:length]


def write_vectors(file_name, comment, groups):
    path = pathlib.Path(__file__).with_name(file_name)
    document = {"comment": comment, **groups}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # Short arrays on one line, as the project's formatter writes them.
    text = re.sub(r'\[\s+("[a-z-]+")\s+\]', r"[\1]", text)
    path.write_text(text + "\n")
