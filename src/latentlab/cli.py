"""The command ``latentlab``: a trained model on new images, without the pipeline.

NumPy and PyTorch are imported inside the commands, when the arithmetic of the bundle is in force.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from latentlab.bundle.environment import prepare
from latentlab.errors import LatentlabError, explain, printable, quoted

if TYPE_CHECKING:
    from latentlab.bundle.bundle import Bundle
    from latentlab.data.files import FileBatch

TABLES = (".csv", ".parquet")
SHARED_THREADS = 2  # up to so many, results are equal to the last bit

BundleFolder = Annotated[Path, typer.Argument(help="Folder of one model, such as bundles/vae.")]
Names = Annotated[
    list[str],
    typer.Argument(help="Image files, folders (with their sub-folders), or patterns in quotes."),
]
Out = Annotated[Path, typer.Option(help="File to write: .csv or .parquet.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Images at a time, which bounds memory.")]
Processes = Annotated[
    int, typer.Option(min=1, help="How many processes read files.", show_default="all CPUs")
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the model.")]
Skip = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable", help="Leave out files that are no image, and list them beside OUT."
    ),
]
Onnx = Annotated[
    bool, typer.Option("--onnx", help="Compute with ONNX Runtime; PyTorch need not be installed.")
]
CPUS = os.cpu_count() or 1

app = typer.Typer(
    name="latentlab",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Apply a trained model of latentlab to new images.",
)


@app.command()
def predict(
    bundle: BundleFolder,
    images: Names,
    out: Out = Path("prediction.csv"),
    batch_size: BatchSize = 500,
    processes: Processes = CPUS,
    threads: Threads = SHARED_THREADS,
    skip_unreadable: Skip = False,
    onnx: Onnx = False,
) -> None:
    """Write component, class, reconstruction error and anomaly score of each image."""
    _check_table(out)
    model = _open(bundle, threads, onnx)

    from latentlab.predictions.writer import new_prediction_frame, write_frames

    batches = _Batches(model, images, batch_size, processes, skip_unreadable)
    rows = write_frames(
        out,
        (
            new_prediction_frame(names, first, model.predict_batch(batch.images))
            for first, names, batch in batches
        ),
    )
    batches.report(out, rows)


@app.command()
def encode(
    bundle: BundleFolder,
    images: Names,
    out: Out = Path("latents.csv"),
    batch_size: BatchSize = 500,
    processes: Processes = CPUS,
    threads: Threads = SHARED_THREADS,
    skip_unreadable: Skip = False,
    onnx: Onnx = False,
) -> None:
    """Write the latent of each image."""
    _check_table(out)
    model = _open(bundle, threads, onnx)

    from latentlab.predictions.writer import new_latent_frame, write_frames

    batches = _Batches(model, images, batch_size, processes, skip_unreadable)
    rows = write_frames(
        out,
        (
            new_latent_frame(names, first, model.network.encode(batch.images))
            for first, names, batch in batches
        ),
    )
    batches.report(out, rows)


@app.command()
def sample(
    bundle: BundleFolder,
    n: Annotated[int, typer.Option("--n", min=1, max=10_000, help="Number of images.")] = 16,
    component: Annotated[
        int | None, typer.Option(help="Draw from this component of the mixture only.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Class to decode as, for a conditional model.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    out: Annotated[Path, typer.Option(help="Picture to write: .png.")] = Path("samples.png"),
    onnx: Onnx = False,
) -> None:
    """Draw images from the mixture, side by side in one picture."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise LatentlabError(f"--out: found {quoted(str(out))}; allowed: a file ending with .png")
    model = _open(bundle, SHARED_THREADS, onnx)

    from latentlab.pictures import write_grid

    write_grid(out, model.sample(n, component, label, seed))
    print(f"{out}: {n} images")


@app.command()
def info(bundle: BundleFolder) -> None:
    """Say what a model is, what it was trained on, and what it takes."""
    prepare(bundle)

    from latentlab.bundle.storage import check_bundle

    config = check_bundle(bundle)
    channels, height, width = config.shape
    classes = ", ".join(printable(name) for name in config.class_names) or "none"
    facts = {
        "name": config.name,
        "kind": config.model.kind,
        "latent_dim": config.latent_dim,
        "images": f"{channels} x {height} x {width}, {config.inputs.fit}",
        "binarize": config.inputs.binarize,
        "classes": classes,
        "trained on": config.training.get("dataset"),
        "epochs": config.training.get("epochs"),
        "seed": config.seed,
        "arithmetic": config.arithmetic,
        "made by": f"latentlab {config.library_version}",
        "format": config.format,
    }
    for name, value in facts.items():
        print(f"{name + ':':<12} {value}")


class _Batches:
    """Files in batches, each with the row of its first file; counts what is left out."""

    def __init__(
        self, model: Bundle, names: list[str], batch_size: int, processes: int, skip: bool
    ) -> None:
        from latentlab.data.files import find_files, read_files

        self._skip = skip
        paths, self.refused = find_files(names)
        self._check()
        rows = model.rows_at_once(batch_size)
        self._files = read_files(paths, model.config.inputs, rows, processes)
        self._bar = tqdm(total=len(paths), unit="image", disable=None)

    def __iter__(self) -> Iterator[tuple[int, list[str], FileBatch]]:
        first = 0
        for batch in self._files:
            self.refused += batch.refused
            self._check()
            self._bar.update(len(batch.paths) + len(batch.refused))
            if not batch.paths:
                continue
            # A name that is no valid text gets escapes.
            names = [os.fsencode(p).decode(errors="backslashreplace") for p in batch.paths]
            yield first, names, batch
            first += len(names)
        self._bar.close()
        if first == 0:
            raise LatentlabError(
                f"{printable(self.refused[0].path)}: {self.refused[0].reason}, and no other file "
                "is an image; name a folder with images"
            )

    def report(self, out: Path, rows: int) -> None:
        """Say what was written, and list what was left out."""
        print(f"{out}: {rows:,} images")
        if self.refused:
            from latentlab.tables import write_rows

            listed = out.with_name(f"{out.stem}.unreadable.csv")
            write_rows(listed, ("path", "reason"), self.refused)
            print(f"{listed}: {len(self.refused):,} files that are no image", file=sys.stderr)

    def _check(self) -> None:
        if self.refused and not self._skip:
            first = self.refused[0]
            raise LatentlabError(
                f"{printable(first.path)}: {first.reason}; remove it, or leave such files out "
                "with --skip-unreadable"
            )


def _check_table(out: Path) -> None:
    if out.suffix not in TABLES or out.is_dir():
        raise LatentlabError(
            f"--out: found {quoted(str(out))}; allowed: a file ending with {' or '.join(TABLES)}"
        )


def _open(bundle: Path, threads: int, onnx: bool) -> Bundle:
    prepare(bundle)

    from latentlab.bundle.storage import load_bundle, load_onnx_bundle

    if onnx:
        return load_onnx_bundle(bundle, threads)

    model = load_bundle(bundle)

    import torch

    torch.set_num_threads(threads)
    return model


def main() -> None:
    """Run the command; what is wrong with its input is a line and status 1, not a traceback."""
    try:
        app()
    except LatentlabError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {explain(error)}")


if __name__ == "__main__":
    main()
