"""
A card of the specification, written from its pages and vectors alone, in another language than the
project's: it shares no line with it. Makes a card in a folder, with its delivery file and its
maker's root, and keeps it in a virtual reader (conformance.md, A card that is a program).

    python3 run_card.py FOLDER SOCKET [t1-extended | t1-short | t0]
"""

import socket
import sys
import time
from pathlib import Path

from card import Card
from maker import Maker
from memory import MemoryFile
from transmission import T1_EXTENDED, Transmission

POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Raises EOFError where the reader is gone."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def serve(connection: socket.socket, card: Transmission):
    """Until the reader is gone."""
    while True:
        size = int.from_bytes(read_exactly(connection, 2), "big")
        body = read_exactly(connection, size)
        if size > 1:
            answer = card.transmit(body)
        elif body[0] == GET_ATR:
            answer = card.answer_to_reset
        else:
            card.reset()
            continue
        connection.sendall(len(answer).to_bytes(2, "big") + answer)


def main(folder: Path, path: str, profile: str = T1_EXTENDED):
    store = MemoryFile(folder / "card")
    Maker(folder / "maker.der").make(store, folder / "delivery.json")
    card = Transmission(Card(store), profile)
    while True:
        card.reset()
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(path)
                serve(connection, card)
        except (OSError, EOFError):
            time.sleep(0.05)


main(Path(sys.argv[1]), *sys.argv[2:])
