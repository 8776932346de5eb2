"""``saih data``: what a data folder holds, whether it is whole, and other forms of it."""

from pathlib import Path

import click

from saih.commands.choice import DATA_FOLDER, JSON, FolderPath
from saih.commands.talk import give, give_json, say

_DATASETS = click.argument("datasets", nargs=-1, metavar="[DATASET]...")
_THREADS = click.option(
    "--threads", "num_threads", type=click.IntRange(1, 256), default=2, show_default=True,
    help="Threads that pack and unpack.",
)  # fmt: skip
_PART = click.option(
    "--part", metavar="K/N", default="1/1", show_default=True,
    help="Only every N-th universe from the K-th on, so that N processes share the work.",
)  # fmt: skip
_SPLIT = click.option(
    "--split", type=click.Choice(("train", "validation")), default="train", show_default=True,
    help="What the samples are for, unless folders train and validation say it.",
)  # fmt: skip


@click.group("data")
def command() -> None:
    """Look into data sets, verify them, and exchange them with others.

    DATASET is the beginning of the id of a data set, or its folder.
    """


@command.command("info")
@_DATASETS
@DATA_FOLDER
@JSON
def info(datasets: tuple[str, ...], data_folder: Path, *, is_json: bool) -> None:
    """Show what a data folder holds.

    Without DATASET every data set is shown, also those that are not finished, and the universes behind them.
    """
    from saih.commands.data_choice import chosen_folders
    from saih.commands.data_listing import folder_json, folder_text, list_folder

    listing = list_folder(data_folder, chosen_folders(data_folder, datasets))
    if is_json:
        give_json("data-info", folder_json(listing))
    else:
        give(folder_text(listing))


@command.command("verify")
@_DATASETS
@click.option(
    "--bytes-only", "is_bytes_only", is_flag=True,
    help="Compare files with their SHA-256 only; faster, and needs no codec.",
)  # fmt: skip
@DATA_FOLDER
@JSON
def verify(datasets: tuple[str, ...], data_folder: Path, *, is_bytes_only: bool, is_json: bool) -> int:
    """Read every byte and every sample, and list all that is damaged.

    Without DATASET every finished data set and every universe is verified. Ends with 4 if anything is
    damaged.
    """
    from cosmology.verification import Thoroughness
    from saih.commands.data_checking import check_folder
    from saih.commands.data_choice import chosen_folders

    checked = check_folder(
        data_folder,
        chosen_folders(data_folder, datasets),
        Thoroughness.BYTES if is_bytes_only else Thoroughness.SAMPLES,
        is_part=bool(datasets),
    )
    if is_json:
        give_json("data-verify", checked.content)
    else:
        for line in checked.lines:
            give(line)
    return checked.exit_code


@command.command("export")
@click.argument("dataset", required=False)
@click.option("--output", type=FolderPath(), required=True, help="Folder to write to; it is made.")
@click.option(
    "--compression", type=click.Choice(("gzip", "none")), default="gzip", show_default=True,
    help="The official files are gzip from version 1.0 of the rules on.",
)  # fmt: skip
@click.option(
    "--level", type=click.IntRange(1, 9), default=6, show_default=True, help="Of gzip; 1 is the fastest."
)
@click.option(
    "--validation", "num_validation", type=click.IntRange(0), default=0, metavar="UNIVERSES",
    help="Export the last universes of a training set for validation.",
)  # fmt: skip
@_THREADS
@_PART
@DATA_FOLDER
@JSON
def export(  # noqa: PLR0913 - one parameter for each option
    *,
    dataset: str | None,
    output: Path,
    compression: str,
    level: int,
    num_validation: int,
    num_threads: int,
    part: str,
    data_folder: Path,
    is_json: bool,
) -> None:
    """Write a data set as the TFRecord files of MLPerf HPC's CosmoFlow.

    One sample a file, below train and validation, split by universe. What is there already is kept, so that
    the same command continues. DATASET may be left out where there is one only.
    """
    from cosmology.official_export import ExportRules
    from saih.commands.data_choice import only_folder
    from saih.commands.data_exchange import export_folder, share_of

    rules = ExportRules(
        gzip_level=level if compression == "gzip" else None,
        num_validation=num_validation,
        num_threads=num_threads,
        share=share_of(part),
    )
    exported = export_folder(only_folder(data_folder, dataset), output, rules)
    counts = {"num_train": exported.num_train, "num_validation": exported.num_validation}
    if is_json:
        give_json("data-export", {"folder": str(output), **counts})
        return
    say(f"{exported.num_train} samples for training, {exported.num_validation} for validation")
    give(str(output))


@command.command("import")
@click.argument("source", type=FolderPath())
@_SPLIT
@click.option(
    "--resolution", type=click.IntRange(8, 1024), default=128, show_default=True,
    help="Voxels per axis of the crops of HDF5 universes; TFRecord samples are what they are.",
)  # fmt: skip
@click.option(
    "--channels", type=click.IntRange(1, 16), default=4, show_default=True, help="Of TFRecord samples."
)
@click.option(
    "--redshifts", metavar="Z,...", help="Of the channels; else those of the files, or 0,0.5,1.5,3."
)
@click.option(
    "--max-sample-bytes", type=click.IntRange(1, 2**31 - 1), default=2**28, show_default=True,
    help="Refuse TFRecord samples above.",
)  # fmt: skip
@_THREADS
@_PART
@DATA_FOLDER
@JSON
def import_(  # noqa: PLR0913 - one parameter for each option
    *,
    source: Path,
    split: str,
    resolution: int,
    channels: int,
    redshifts: str | None,
    max_sample_bytes: int,
    num_threads: int,
    part: str,
    data_folder: Path,
    is_json: bool,
) -> None:
    """Convert official CosmoFlow files to verified data sets.

    SOURCE is a folder with TFRecord files, plain or gzip, or with HDF5 universes; where it has folders train
    and validation, each becomes a data set. What is there already is kept, so that the same command
    continues. No file of SOURCE is changed.
    """
    from cosmology.official_source import ReadingRules
    from saih.commands.data_exchange import import_folders, redshifts_of, share_of

    rules = ReadingRules(
        num_channels=channels,
        resolution=resolution,
        redshifts=redshifts_of(redshifts),
        max_sample_bytes=max_sample_bytes,
        num_threads=num_threads,
    )
    imported = import_folders(source, split, data_folder, rules, share_of(part))
    if is_json:
        give_json("data-import", {"data_sets": [one.content for one in imported]})
        return
    for one in imported:
        say(one.line)
        give(str(one.folder))
