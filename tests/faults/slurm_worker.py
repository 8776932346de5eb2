"""The tiny worker, with one more fault: a rank that takes memory until somebody ends it."""

import sys
import time

import tiny_worker

_BLOCK_BYTES = 50 << 20


def act(fault: str, rank: int) -> None:
    if fault == "greedy" and rank == 1:
        held = []
        while True:
            held.append(b"x" * _BLOCK_BYTES)
            time.sleep(0.05)
    tiny_act(fault, rank)


tiny_act = tiny_worker.act
tiny_worker.act = act

if __name__ == "__main__":
    tiny_worker.main(sys.argv[1])
