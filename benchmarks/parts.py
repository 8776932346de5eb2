"""A benchmark of several parts, each a module of its own."""

import argparse
import importlib
from collections.abc import Mapping, Sequence


def run_parts(about: str, parts: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run all parts, or those asked for by ``--part``; 1 when a bar is missed.

    ``parts`` are names and modules, whose ``main(arguments)`` prints a table and bars and gives 1 when one of
    these is missed.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns and smaller sizes")
    parser.add_argument("--part", choices=tuple(parts), action="append", help="only this part (repeatable)")
    options = parser.parse_args(arguments)
    words = ["--quick"] if options.quick else []
    codes = []
    for part in options.part or parts:
        print(f"\n== {part} ==", flush=True)
        codes.append(importlib.import_module(parts[part]).main(words))
    return max(codes)
