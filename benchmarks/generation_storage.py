"""Storing data: how small, how fast, and does every damage come to light.

``python -m benchmarks.generation_storage [--quick]``. Samples of 128^3 x 4 with voxels of 1.125 Mpc/h are cut
from a universe of 256^3, kept below the user's cache. Rates are by CPU time of one thread. The ratio of gzip
at level 6 is the plausibility check: the official data set shrinks 5.8 times, noise and fractals do not.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.generation_storage_codecs import CodecRates, all_codec_rates, official_gzip_ratio
from benchmarks.generation_storage_flips import Flips, flip_everywhere
from benchmarks.generation_storage_product import ProductRates, product_rates
from benchmarks.generation_storage_samples import samples_of_128

OFFICIAL_RATIO = 5.8
_NUM_FLIPS = 300


def main(arguments: Sequence[str]) -> int:
    """Run all; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a coarser universe, fewer samples and turns")
    quick = parser.parse_args(arguments).quick
    samples = samples_of_128(num_samples=3 if quick else 8, num_steps=5 if quick else 20, is_fine=not quick)
    with tempfile.TemporaryDirectory() as folder:
        codecs = all_codec_rates(Path(folder), samples, num_turns=3 if quick else 7)
        product = product_rates(Path(folder), samples, num_turns=5 if quick else 15)
        flips = flip_everywhere(Path(folder), _NUM_FLIPS)
    reached = [
        *_judge_ratio(official_gzip_ratio(samples[0])),
        *_judge_rates(codecs, product),
        *_judge_flips(flips),
    ]
    return 0 if all(reached) else 1


def _judge_ratio(ratio: float) -> list[bool]:
    print(f"gzip at level 6, samples laid out as the official ones: {ratio:.2f} times smaller")
    return [judge("distance of the gzip-6 ratio from 5.8", abs(ratio - OFFICIAL_RATIO), "", "<=", 0.4)]


def _judge_rates(codecs: Sequence[CodecRates], product: Sequence[ProductRates]) -> list[bool]:
    print(f"\n{'codec, by HDF5 alone':<34}{'ratio':>7}{'write MB/s':>12}{'read MB/s':>11}")
    for rates in codecs:
        print(f"{rates.name:<34}{rates.ratio:>7.2f}{rates.write_mb_per_s:>12.0f}{rates.read_mb_per_s:>11.0f}")
    words = f"{'ratio':>7}{'write':>7}{'decode':>8}{'range':>15}{'Dataset.read':>14}"
    print(f"\n{'shards as the product writes them':<34}{words}")
    for shard in product:
        spread = f"{shard.least_decode_mb_per_s:.0f} to {shard.decode_mb_per_s:.0f}"
        print(
            f"{shard.codec:<34}{shard.ratio:>7.2f}{shard.write_mb_per_s:>7.0f}{shard.decode_mb_per_s:>8.0f}"
            f"{spread:>15}{shard.read_mb_per_s:>14.0f}"
        )
    print("MB of unpacked counts for a second of one core; decode: best turn; files are in the page cache")
    default = product[0]
    return [judge("decode rate of the default codec", default.decode_mb_per_s, "MB/s", ">=", 700)]


def _judge_flips(flips: Flips) -> list[bool]:
    print(f"\n{flips.num_flips} single bits flipped, one at a time, in {', '.join(flips.num_by_kind)}:")
    print(f"  found by verifying bytes {flips.num_found_by_bytes}, by verifying samples {flips.num_found}")
    print(f"  read through Dataset: {flips.num_refused} refused, {flips.num_identical} identical")
    return [
        judge("flips that verification misses", flips.num_flips - flips.num_found, "flips", "<=", 0),
        judge("flips that bytes alone miss", flips.num_flips - flips.num_found_by_bytes, "flips", "<=", 0),
        judge("flips that reach training silently", flips.num_silent, "flips", "<=", 0),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
