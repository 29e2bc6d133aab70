"""Params with wild values, drawn at random: refused with a message, or good for a run."""

import copy
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab import limits
from latentlab.errors import LatentlabError
from latentlab.latents.arrays import read_latents
from latentlab.latents.encoding import EncodeTask, write_latents
from latentlab.limits import check_machine, check_mixture, check_training
from latentlab.mixture.fitting import fit_mixture
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.params import Params, load_params
from latentlab.training.loop import TrainingPlan, fit
from tests.conftest import ROOT

SHIPPED = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
GIB = 2**30
CLASSES = 3

WORDS = [
    *("", " ", "vae", "none", "cuda", "folder", "faces", "mse", "gaussian", "bernoulli"),
    *("symmetric", "unit", "relu", "linear", "labeled", "full", "diag", "tied", "spherical"),
    *("sgd", "one_cycle", "cosine", "glorot", "threshold", "stochastic", "objective", "density"),
    *("$(touch pwned)", "../..", "/", "~", "a\nb", "\0", "\x1b[31m", "é", "x" * 20_000, "1e-3"),
]
NUMBERS = [
    *(0, 1, 2, 3, 7, 8, 16, 63, 64, 65, 1000, 4096, 65_536, 10**9, 10**18, 10**400),
    *(-1, -(10**9), 0.5, 1.0, 1e-6, 1e6, 1e-300, 1e300, math.nan, math.inf, -math.inf),
]
ATOMS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(NUMBERS),
    st.none(),
    st.booleans(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)


def places(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every key of nested mappings."""
    found = []
    for key, value in values.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += places(value, (*path, key))
    return found


@st.composite
def odd_params(draw, values=VALUES, most=3, only=lambda path: True):
    """The shipped params with some values replaced, keys removed, renamed or added."""
    params = copy.deepcopy(SHIPPED)
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from([p for p in places(params) if only(p)]))
        place = params
        for key in path[:-1]:
            place = place[key]
        change = draw(st.sampled_from(["replace"] * 8 + ["remove", "rename", "add"]))
        if change == "replace":
            place[path[-1]] = draw(values)
        else:
            value = draw(values) if change == "add" else place.pop(path[-1])
            if change != "remove":
                place[draw(st.sampled_from(WORDS) | st.text(max_size=70))] = value
        assume(params)
    return params


def refusal(params) -> str | None:
    """What `check` says about params; ``None`` if it accepts them."""
    try:
        check_machine(Params.model_validate(params))
    except (LatentlabError, ValueError) as error:
        return str(error)
    return None


def told(params, folder) -> str | None:
    """The same for a file, if YAML can hold the values."""
    path = folder / "params.yaml"
    try:
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(params, file)
    except (YAMLError, ValueError):
        assume(False)
    try:
        check_machine(load_params(path))
    except LatentlabError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("odd")


FIXED = {
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
    "deadline": None,
    "derandomize": True,
}


def check_refusal(message):
    if message is None:
        return
    head, *faults = message.split("\n")
    assert "Traceback" not in message
    # One line for each fault, each short whatever the value is.
    assert all(len(line) < 1000 for line in message.split("\n"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message)
    if head.endswith("is not valid:") or "rename them" in head:
        assert faults
        for fault in faults:
            key, _, rest = fault.partition(": ")
            assert fault.startswith("  ")
            assert key.strip() or rest
            assert rest or "unknown key" in fault, fault
    else:
        assert not faults, message


@settings(max_examples=25, **FIXED)
@given(params=odd_params())
def test_odd_params_are_refused_in_words_or_accepted(params, folder):
    check_refusal(told(params, folder))


@pytest.mark.slow
@settings(max_examples=1000, **FIXED)
@given(params=odd_params(most=5))
def test_many_odd_params_are_refused_in_words_or_accepted(params, folder):
    check_refusal(told(params, folder))


@pytest.mark.parametrize("path", places(SHIPPED), ids=".".join)
def test_every_key_takes_or_refuses_every_odd_value(path, folder):
    for value in [*WORDS, *NUMBERS, None, True, [], {}, [None], [[]], {"": None}, ["a\nb"]]:
        params = copy.deepcopy(SHIPPED)
        place = params
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        # Values only, without the time that YAML takes.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("latentlab.params._read_mapping", lambda _, params=params: params)
            try:
                check_machine(load_params(folder / "params.yaml"))
            except LatentlabError as error:
                check_refusal(str(error))


# Values that are in range, or nearly, of the keys that a model, its training and its mixture use.
NEAR = st.one_of(
    st.sampled_from([w for w in WORDS if len(w) < 20]),
    st.sampled_from(
        [1, 2, 3, 5, 8, 40, 100, 0.0, 0.1, 0.5, 1.0, 1e-6, 1e6, 1e3, None, True, False]
    ),
    st.lists(st.integers(1, 40), max_size=4),
)
USED = {
    *("latent_dim", "seed", "epochs", "batch_size", "learning_rate", "pixel_range", "train"),
    *("encode", "gmm", "models"),
}


def run_small(params: Params, folder) -> None:
    """Two steps of training, one encoding and a mixture of every model, on 60 images."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % CLASSES
    side = 16
    images = rng.integers(0, 120, (60, 1, side, side)).astype(np.uint8)
    images += (labels * 60).astype(np.uint8)[:, None, None, None]
    inputs = ModelInputs((1, side, side), params.latent_dim, params.pixel_range, CLASSES)
    for name in params.run_models:
        model = params.models[name]
        check_training(name, model, inputs, params.batch_size, GIB // 4)
        network = build_model(model, inputs)
        initialize(network, params.train.initialization)
        plan = TrainingPlan(
            epochs=2,
            batch_size=min(params.batch_size, 60),
            learning_rate=params.learning_rate,
            optimizer=params.train.optimizer,
            scheduler=params.train.scheduler,
            seed=params.seed,
            dynamic_binarization=False,
        )
        pairs = torch.from_numpy(images), torch.from_numpy(labels)
        assert len(list(fit(network, pairs, pairs, plan))) == 2
        write_latents(
            folder / name,
            EncodeTask(
                lambda network=network: network,
                images,
                params.seed,
                measure=True,
                keep_reconstructions=True,
            ),
            batch_size=min(params.encode.batch_size, 60),
        )
        means = read_latents(folder / name, 60).mean
        check_mixture(params.gmm, params.gmm.n_components or CLASSES, means.shape[1], GIB // 4)
        small = params.gmm.model_copy(update={"n_init": min(params.gmm.n_init, 2)})
        if small.init == "labeled":
            small = small.model_copy(update={"init": "kmeans"})
        mixture = fit_mixture(means, labels, classes=CLASSES, settings=small, seed=params.seed)
        assert np.isfinite(mixture.score_samples(means)).all()


@pytest.mark.slow
@settings(max_examples=60, **FIXED)
@given(params=odd_params(values=NEAR, most=3, only=lambda path: path[0] in USED))
@example(params=SHIPPED)
def test_accepted_params_are_good_for_a_run(params, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "total_memory", lambda: GIB)
        assume(refusal(params) is None)
    accepted = Params.model_validate(params)
    assume(accepted.latent_dim <= 200)
    message = ""
    try:
        run_small(accepted, folder)
    except LatentlabError as error:
        message = str(error)
    # What only data can show: too few images, losses that diverge, memory.
    assert message == "" or re.fullmatch(r".+[;,] .+", message), message
