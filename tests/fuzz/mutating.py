"""Sound bytes made unsound: changed, cut out, doubled, cut short, lengths made odd."""

from __future__ import annotations

import random
import struct

ODD_LENGTHS = (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)


def mutant(sound: bytes, dice: random.Random) -> bytes:
    """Return the bytes with 1 to 30 things wrong."""
    content = bytearray(sound)
    for _ in range(dice.choice((1, 1, 2, 5, 30))):
        place = dice.randrange(len(content))
        match dice.randrange(6):
            case 0:
                content[place] = dice.randrange(256)
            case 1:
                del content[place : place + dice.randrange(1, 40)]
            case 2:
                content[place:place] = content[place : place + dice.randrange(1, 600)]
            case 3:
                form = dice.choice(("<I", ">I"))
                content[place : place + 4] = struct.pack(form, dice.choice(ODD_LENGTHS))
            case 4 if dice.random() < 0.2:
                del content[place:]
            case _:
                content[place] ^= 1 << dice.randrange(8)
        if not content:
            break
    return bytes(content)
