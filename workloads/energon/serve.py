"""Serves a Transformer over HTTP.

Usage: ``python -m workloads.energon.serve --model FOLDER_OR_NAME``; ``--help`` tells the rest.
"""

import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click
import uvicorn

from augment.problem import ProblemError
from workloads.energon.engine import Engine, launch
from workloads.energon.errors import EngineError
from workloads.energon.generation import Generator, rules_for
from workloads.energon.serving.app import Service, make_app
from workloads.energon.serving.limits import ServingLimits
from workloads.steady_clock import steady_ns
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.errors import WeightError
from workloads.transformer.ladder import named

_MIB = 1 << 20


@click.command()
@click.option("--model", required=True, help="Folder of a checkpoint, or a published name: random weights.")
@click.option("--seed", default=0, show_default=True, help="Of random weights.")
@click.option("--tensor-parallel", default=1, show_default=True, help="Ranks that share every layer.")
@click.option("--pipeline-parallel", default=1, show_default=True, help="Stages, one after the other.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Of ranks."
)
@click.option("--dtype", default="float32", show_default=True, help="Of weights and activations.")
@click.option("--threads-per-rank", type=int, help="Of computation; default: an even part of the cores.")
@click.option("--cache-mib", default=1024, show_default=True, help="Memory of a rank for keys and values.")
@click.option("--max-rows", default=2048, show_default=True, help="Most tokens of one forward pass.")
@click.option("--max-running", default=64, show_default=True, help="Most requests worked on by turns.")
@click.option("--max-queue", default=256, show_default=True, help="Most requests that wait; others get 429.")
@click.option("--max-new-tokens", default=4096, show_default=True, help="Most tokens of one request.")
@click.option("--max-body-kib", default=1024, show_default=True, help="Largest body of a request.")
@click.option("--max-connections", default=1024, show_default=True, help="Beyond them, clients get 503.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0: a free one.")
@click.option("--drain-s", default=30, show_default=True, help="What requests get to end after SIGTERM.")
@click.option(
    "--request-limit-s",
    default=3600.0,
    show_default=True,
    help="The engine is dead when it finishes no pass for so long.",
)
def main(**options: Any) -> None:  # Any: click gives each option its own type
    """Serve a Transformer over HTTP until SIGTERM or Ctrl-C."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        serve(options)
    except (EngineError, ProblemError, WeightError, OSError) as error:
        raise click.ClickException(str(error)) from error


def serve(options: dict[str, Any]) -> None:  # Any: as above
    """Launch an engine, and answer requests until a signal comes."""
    family = socket.AF_INET6 if ":" in options["host"] else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options["host"], options["port"]))
        port = listener.getsockname()[1]
        click.echo(f"loading {options['model']} for http://{options['host']}:{port}")
        with _engine(options) as engine:
            rules = rules_for(
                engine,
                max_rows=options["max_rows"],
                max_running=options["max_running"],
                max_waiting=options["max_queue"],
            )
            click.echo(f"ready, with room for {rules.num_kept_tokens} tokens in the caches")
            with Generator(engine, rules, steady_ns) as generator:
                _answer(engine, generator, listener, options)


def _engine(options: dict[str, Any]) -> Engine:
    return launch(
        _model(options["model"]),
        seed=options["seed"],
        tensor_parallel=options["tensor_parallel"],
        pipeline_parallel=options["pipeline_parallel"],
        device=options["device"],
        dtype=options["dtype"],
        threads_per_rank=options["threads_per_rank"],
        cache_bytes=options["cache_mib"] * _MIB,
        request_limit_s=options["request_limit_s"],
    )


def _model(name: str) -> TransformerArchitecture | Path:
    return Path(name) if Path(name).exists() else named(name)


def _answer(engine: Engine, generator: Generator, listener: socket.socket, options: dict[str, Any]) -> None:
    limits = ServingLimits(
        body_bytes=options["max_body_kib"] * 1024, max_new_tokens=options["max_new_tokens"]
    )
    service = Service(generator=generator, death=lambda: engine.death, limits=limits)
    config = uvicorn.Config(
        make_app(service),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        limit_concurrency=options["max_connections"],
        timeout_graceful_shutdown=options["drain_s"],
    )
    uvicorn.Server(config).run(sockets=[listener])


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End while loading at once; a server that runs catches signals itself, and passes them on at its end."""
    sys.exit(0)


if __name__ == "__main__":
    main()
