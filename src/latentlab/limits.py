"""What a run asks of the machine, refused or warned of before hours are spent; without torch.

Estimates are lower bounds: what they refuse cannot fit, and what they let pass may still not.
"""

import math
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from latentlab.data.settings import DATASETS, Dataset
from latentlab.errors import LatentlabError
from latentlab.memory import FLOAT32, FLOAT64, gibibytes, total_memory
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.site import repository_root, resolve_folder

if TYPE_CHECKING:
    from latentlab.mixture.settings import MixtureSettings
    from latentlab.params import Params

# Pixels per side and channels of the data sets, where params leave them empty.
NATURAL: dict[Dataset, tuple[int, int]] = {
    "digits": (28, 1),
    "mnist": (28, 1),
    "fashion_mnist": (28, 1),
    "faces": (64, 3),
    "folder": (8, 1),  # unknown, and no smaller
}
# Of one weight in training: itself, its gradient, and two moments of the optimizer.
WEIGHT = 4 * FLOAT32


def check_packages(params: "Params") -> None:
    """Refuse params that ask for packages which are not installed.

    Raises:
        LatentlabError: With the key, the package, and what to do.
    """
    if params.bundle.onnx:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            if find_spec(name) is None:
                raise LatentlabError(
                    f"bundle.onnx: found true, but the package {name} is not installed; run `pip "
                    f"install {name}`, or set it to false"
                )


def check_machine(params: "Params") -> list[str]:
    """Refuse a run that cannot fit into the memory, or that would index a whole machine.

    Returns:
        Warnings, a line each.

    Raises:
        LatentlabError: With the key, the estimate, the memory there is, and what to do.
    """
    for key, folder in (("folder", params.data.folder), ("anomalies", params.data.anomalies)):
        if isinstance(folder, str) and folder not in DATASETS:
            resolve_folder(repository_root(), folder, f"data.{key}")
    size, channels = NATURAL[params.dataset]
    size, channels = params.image_size or size, params.channels or channels
    inputs = ModelInputs((channels, size, size), params.latent_dim, params.pixel_range, 0)
    memory = total_memory() if params.device == "cpu" else None
    workers = params.train.workers
    batch_size = math.ceil(params.batch_size / workers)
    for name in params.run_models:
        check_training(name, params.model(name), inputs, batch_size, memory)
    check_mixture(params.gmm, params.gmm.n_components or 1, params.latent_dim, total_memory())
    cores = os.cpu_count() or params.threads
    if workers > 1 and params.threads * workers > cores:
        return [
            f"threads: found {params.threads} for each of {workers} workers (train.workers), and "
            f"{cores} cores on this machine, which is slower unless they are on several machines; "
            f"keep the product at {cores} or less"
        ]
    if params.threads > cores:
        return [
            f"threads: found {params.threads} on a machine of {cores} cores, which is slower; "
            f"set threads to {cores} or less"
        ]
    return []


def check_training(
    name: str, model: ModelSettings, inputs: ModelInputs, batch_size: int, memory: int | None
) -> None:
    """Refuse a model whose training cannot fit into the memory.

    Args:
        name: The model's name.
        model: Its settings.
        inputs: What it is built for.
        batch_size: Images per training step, in one process.
        memory: Bytes there are; ``None`` where they are unknown, which refuses nothing.

    Raises:
        LatentlabError: If it cannot fit.
    """
    weights, activations = model.size(inputs)
    held = WEIGHT * weights
    # Each output before and after the activation; images, logits and the gradient of these.
    passed = batch_size * FLOAT32 * (2 * activations + 3 * math.prod(inputs.shape))
    if memory is None or held + passed <= memory:
        return
    layers = next(key for key in ("filters", "hidden", "kind") if hasattr(model, key))
    side = inputs.shape[1]
    if held > passed:
        remedy = f"lower models.{name}.{layers}, latent_dim or image_size"
    else:
        remedy = f"lower batch_size, image_size or models.{name}.{layers}"
    raise LatentlabError(
        f"models.{name}: training needs at least {gibibytes(held + passed)}, with {weights:,} "
        f"weights and batches of {batch_size} images of {side}x{side} pixels, and there are "
        f"{gibibytes(memory)} of memory; {remedy}"
    )


def check_mixture(
    settings: "MixtureSettings", n_components: int, latent_dim: int, memory: int | None
) -> None:
    """Refuse a mixture whose fit cannot fit into the memory.

    Args:
        settings: Of the mixture.
        n_components: Number of components.
        latent_dim: Latent dimensions.
        memory: Bytes there are; ``None`` where they are unknown, which refuses nothing.

    Raises:
        LatentlabError: If it cannot fit.
    """
    if settings.covariance_type in ("diag", "spherical"):
        return
    starts = 1 if settings.init == "labeled" else settings.n_init
    components = max(starts * n_components, sum(settings.n_components_grid or ()))
    # All fits at once: a coefficient and a sum for each product of two dimensions, and, unless
    # they are shared, the covariances before and after a step.
    matrices = 3 if settings.covariance_type == "full" else 1
    needed = FLOAT64 * components * matrices * latent_dim**2
    if memory is not None and needed > memory:
        raise LatentlabError(
            f"gmm: fitting {components} components of {latent_dim} latent dimensions needs at "
            f"least {gibibytes(needed)}, and there are {gibibytes(memory)} of memory; set "
            "gmm.covariance_type to diag, or lower latent_dim, gmm.n_init or "
            "gmm.n_components_grid"
        )
