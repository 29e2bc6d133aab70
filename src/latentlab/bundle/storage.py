"""Saving and loading of a bundle: one folder, offline, without pickle."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentlab.anomaly.storage import load_detector, save_detector
from latentlab.bundle.bundle import Bundle
from latentlab.bundle.config import BundleConfig, read_config, write_config
from latentlab.bundle.environment import CONFIG
from latentlab.bundle.network import Network, TorchNetwork
from latentlab.bundle.onnx_network import DECODER, ENCODER, OnnxNetwork
from latentlab.digests import file_digest
from latentlab.errors import LatentlabError, quoted
from latentlab.mixture.mixture import MIXTURE, load_mixture, save_mixture

if TYPE_CHECKING:
    from latentlab.anomaly.detector import AnomalyDetector
    from latentlab.mixture.mixture import Mixture
    from latentlab.models.base import ImageModel
    from latentlab.settings import Device
    from latentlab.shards import ImageArray

# The file names of the Hugging Face Hub, where it has one for the purpose.
MODEL = "model.safetensors"
ANOMALY = "anomaly.npz"
FETCH = "fetch the bundle again"


def save_bundle(
    folder: Path,
    config: BundleConfig,
    model: ImageModel,
    mixture: Mixture,
    detector: AnomalyDetector,
    *,
    onnx_check: ImageArray | None = None,
) -> BundleConfig:
    """Write a trained model with everything that its use needs.

    Args:
        folder: Is made where it does not exist.
        config: Its ``files`` are replaced by the digests of what is written.
        model: Trained.
        mixture: Fitted on its train latents.
        detector: Calibrated.
        onnx_check: Images, shape ``(N, C, H, W)``, to compare PyTorch and ONNX Runtime on;
            ``None`` writes no ONNX files.

    Returns:
        The config as it was written.

    Raises:
        LatentlabError: If ONNX files are asked for and cannot be written, or compute something
            else.
    """
    from latentlab.models.weights import save_weights

    folder.mkdir(parents=True, exist_ok=True)
    save_weights(model, folder / MODEL)
    save_mixture(mixture, folder / MIXTURE)
    save_detector(detector, folder / ANOMALY)
    names = [MODEL, MIXTURE, ANOMALY]
    if onnx_check is not None:
        from latentlab.bundle.onnx_export import write_onnx

        names += write_onnx(model, folder, onnx_check)
    files = {name: file_digest(folder / name) for name in names}
    written = config.model_copy(update={"files": files})
    write_config(folder / CONFIG, written)
    return written


def load_bundle(folder: Path, device: Device = "cpu") -> Bundle:
    """Read what ``save_bundle`` wrote; nothing is executed.

    Args:
        folder: Of the bundle.
        device: Where PyTorch computes.

    Raises:
        LatentlabError: If a file is missing, damaged or of another bundle, or if a newer version
            of latentlab wrote it.
    """
    if find_spec("torch") is None:
        raise LatentlabError(
            "torch is not installed; run `pip install torch`, or load with onnx (`--onnx`)"
        )
    from latentlab.models.registry import load_model
    from latentlab.randomness import resolve_device

    config = check_bundle(folder)
    network = load_model(config.model, config.model_inputs, folder / MODEL, resolve_device(device))
    return with_arrays(folder, config, TorchNetwork(network), network.latent_dim)


def load_onnx_bundle(folder: Path, threads: int = 2) -> Bundle:
    """Read what ``save_bundle`` wrote, for ONNX Runtime on the CPU; needs no PyTorch.

    Args:
        folder: Of the bundle.
        threads: CPU threads.

    Raises:
        LatentlabError: As ``load_bundle``; and if the bundle has no ONNX files, if its headline
            score needs PyTorch, or if ONNX Runtime is not installed.
    """
    config = check_bundle(folder)
    if not {ENCODER, DECODER} <= config.files.keys():
        raise LatentlabError(
            f"{folder}: has no {ENCODER} and {DECODER}; make it with bundle.onnx: true in "
            "params.yaml"
        )
    network = OnnxNetwork(
        folder,
        config.shape,
        config.pixel_range,
        threads,
        standard_prior=config.model.has_standard_prior,
    )
    bundle = with_arrays(folder, config, network, network.latent_dim)
    if bundle.detector.headline == "objective":
        raise LatentlabError(
            f"{folder}: its anomaly score, 'objective', needs a loss that only PyTorch computes; "
            "load it without onnx"
        )
    return bundle


def check_bundle(folder: Path) -> BundleConfig:
    """The config of a bundle whose files are those that were written.

    Raises:
        LatentlabError: If one is missing or changed, or if a newer version wrote them.
    """
    if not (folder / CONFIG).is_file():
        raise LatentlabError(
            f"{folder}: no bundle, it has no {CONFIG}; name the folder of one model, such as "
            "bundles/vae"
        )
    config = read_config(folder / CONFIG)
    for name in sorted({MODEL, MIXTURE, ANOMALY} | config.files.keys()):
        path = folder / name
        if name not in config.files or Path(name).name != name or name in ("", ".."):
            raise LatentlabError(f"{folder / CONFIG}: files: {quoted(name)} cannot be; {FETCH}")
        if not path.is_file():
            raise LatentlabError(f"{path}: missing; {FETCH}")
        if file_digest(path) != config.files[name]:
            raise LatentlabError(f"{path}: not the file that {CONFIG} describes; {FETCH}")
    return config


def with_arrays(folder: Path, config: BundleConfig, network: Network, latent_dim: int) -> Bundle:
    """A bundle of a network and of the arrays of a folder that ``check_bundle`` accepted.

    Raises:
        LatentlabError: If mixture, detector and network do not belong together.
    """
    mixture, detector = load_mixture(folder / MIXTURE), load_detector(folder / ANOMALY)
    same = np.array_equal(mixture.means, detector.mixture.means)
    if not same or mixture.means.shape[1] != latent_dim:
        raise LatentlabError(
            f"{folder}: network, {MIXTURE} and {ANOMALY} do not belong together; {FETCH}"
        )
    if max(mixture.one_to_one_class.max(), mixture.majority_class.max()) >= len(
        config.class_names
    ):
        raise LatentlabError(f"{folder / MIXTURE}: a component of a class without name; {FETCH}")
    return Bundle(config, network, mixture, detector)
