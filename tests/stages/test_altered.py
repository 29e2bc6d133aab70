"""Each file of a finished run altered in many ways: a line that names it, and nothing is taken."""

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from ruamel.yaml import YAML
from safetensors.numpy import load_file, save_file

from latentlab.errors import LatentlabError
from tests.conftest import ROOT, change
from tests.stages.test_stages import SMALL, STAGES, bytes_of, invoke, run

pytestmark = pytest.mark.slow

MODELS = ("vae", "other")
SPLITS = ("train", "validation", "test", "anomalies")
# Each file, and a stage that reads it.
READ = {
    "data/processed/train/images.npy": "train",
    "data/processed/train/labels.npy": "encode",
    "data/processed/validation/images.npy": "train",
    "data/processed/validation/labels.npy": "fit_gmm",
    "data/processed/test/images.npy": "evaluate",
    "data/processed/test/labels.npy": "export",
    "data/processed/about.json": "evaluate",
    "models/vae/weights.safetensors": "evaluate",
    "models/vae/history.csv": "evaluate",
    "models/vae/mixture.npz": "evaluate",
    "models/vae/bic.csv": "evaluate",
    "data/latents/vae/train/mean.npy": "fit_gmm",
    "data/latents/vae/train/log_var.npy": "evaluate",
    "data/latents/vae/test/mean.npy": "evaluate",
    "data/latents/vae/test/kl.npy": "evaluate",
    "data/latents/vae/test/squared_error.npy": "plot",
    "data/latents/vae/test/reconstruction.npy": "evaluate",
    "data/latents/vae/test/reconstructions.npy": "export",
    "data/latents/vae/digests.json": "evaluate",
    "data/evaluation/vae/digests.json": "plot",
    "data/reference/digests.json": "plot",
    "data/reference/classifier.safetensors": "evaluate",
    "data/reference/features.npy": "evaluate",
    "data/reference/scores.csv": "plot",
    "data/evaluation/vae/scores.csv": "plot",
    "data/evaluation/vae/images.csv": "export",
    "data/evaluation/vae/confusion.csv": "plot",
    "data/evaluation/vae/dimensions.csv": "plot",
    "data/latents/vae/validation/mean.npy": "bundle",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which every stage has run with two models of the same architecture."""
    folder = tmp_path_factory.mktemp("finished")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    # As many components as latent dimensions, so that some arrays are square.
    changes = SMALL | {"epochs": 1, "gmm.n_components": 3, "run_models": list(MODELS)}
    changes["models.other"] = values["models"]["vae"] | {"beta": 3.0, "hidden": [16]}
    change(values, changes)
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in STAGES:
            for model in MODELS if "matrix" in STAGES[stage] else MODELS[:1]:
                run(stage, model)
    return folder


@pytest.fixture
def workspace(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def saved(array, *, allow_pickle=False, header=None):
    file = io.BytesIO()
    if header is None:
        np.save(file, array, allow_pickle=allow_pickle)
    else:
        np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def of_array(array):
    """Names and arrays, each unlike the given one in one respect."""
    last = array.shape[-1] if array.ndim else 1
    yield "other dtype", array.astype(np.float64 if array.dtype != np.float64 else np.float32)
    yield "integers", array.astype(np.int16)
    yield "objects of text", array.astype(str)
    yield "other shape", array.reshape(-1)[: last // 2]
    yield "a number", array.reshape(-1)[0]
    yield "one more axis", array[None]
    yield "transposed", np.ascontiguousarray(array.T)
    yield "no rows", array[:0]
    yield "rows removed", array[1:]
    yield "rows reversed", np.ascontiguousarray(array[::-1])
    yield "rows twice", np.concatenate([array, array])
    if array.ndim > 1:
        yield "columns removed", np.ascontiguousarray(array[:, 1:])
        yield "no columns", np.ascontiguousarray(array[:, :0])
    if array.dtype.kind == "f":
        for name, value in (("nan", np.nan), ("inf", np.inf), ("huge", 3e38), ("zero", 0)):
            changed = array.copy()
            changed.reshape(-1)[-1] = value
            yield name, changed
    elif array.dtype.kind in "iu":
        changed = array.copy()
        changed.reshape(-1)[-1] ^= 1
        yield "one bit", changed
        yield "large", array + np.asarray(100).astype(array.dtype)


class Executed:
    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


def of_npy(path):
    array = np.load(path)
    for name, changed in of_array(array):
        if not (changed.shape == array.shape and np.array_equal(changed, array)):
            yield name, saved(changed)
    header = {"descr": array.dtype.str, "fortran_order": False}
    sizes = {"a huge header": (10**7, 10**7), "more than fits": (10**15, 10**15)}
    for name, shape in (sizes | {"negative": (-1, 3), "no axes": ()}).items():
        yield name, saved(None, header=header | {"shape": shape})
    yield "pickled", saved(np.array([Executed()], object), allow_pickle=True)
    yield "a pickle", pickle.dumps(Executed())


def npz(arrays, compression=zipfile.ZIP_STORED, raw=None):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", saved(array))
        for name, content in (raw or {}).items():
            archive.writestr(name, content)
    return file.getvalue()


def of_npz(path):
    with np.load(path) as file:
        arrays = dict(file)
    for name in arrays:
        yield f"without {name}", npz({n: a for n, a in arrays.items() if n != name})
        if arrays[name].dtype.kind in "fi":
            for how, changed in of_array(arrays[name]) if arrays[name].ndim else ():
                if not np.array_equal(changed, arrays[name]):
                    yield f"{name} {how}", npz(arrays | {name: changed})
    yield "empty archive", npz({})
    rest = {n: a for n, a in arrays.items() if n != "means"}
    yield "bomb", npz(rest, zipfile.ZIP_DEFLATED, {"means.npy": saved(np.zeros((10**6, 30)))})
    header = {"descr": "<f8", "fortran_order": False}
    for name, shape in (("huge header", (10**7, 10**7)), ("negative", (-3, 3))):
        yield name, npz(rest, raw={"means.npy": saved(None, header=header | {"shape": shape})})
    yield (
        "pickled",
        npz(rest, raw={"means.npy": saved(np.array([Executed()], object), allow_pickle=True)}),
    )


def of_weights(path):
    state = load_file(path)
    target = path.with_name("altered")

    def content(tensors, metadata=None):
        save_file(tensors, target, metadata)
        made = target.read_bytes()
        target.unlink()
        return made

    first = next(iter(state))
    yield "no metadata and other values", content({n: a + 1 for n, a in state.items()})
    yield "metadata of another", content(state, {"history": "0" * 64})
    yield "no tensors", content({})
    yield "one missing", content({n: a for n, a in state.items() if n != first})
    yield "one more", content(state | {"more": state[first]})
    for name, changed in of_array(state[first]):
        if changed.dtype.kind in "fiu" and not np.array_equal(changed, state[first]):
            yield name, content(state | {first: np.ascontiguousarray(changed)})
    yield "a huge header", (2**60).to_bytes(8, "little") + b"{}"
    yield "a header of nothing", (2).to_bytes(8, "little") + b"[]"
    yield "a pickle", pickle.dumps(Executed())


def of_csv(path):
    header, *rows = path.read_text().splitlines()
    cells = rows[0].split(",")
    table = {
        "header only": [header],
        "no header": rows,
        "rows removed": [header, *rows[1:]] if len(rows) > 1 else [header, rows[0] + "1"],
        "rows twice": [header, *rows, *rows],
        "one column": [line.split(",")[0] for line in (header, *rows)],
        "words": [header, *(",".join("word" for _ in cells) for _ in rows)],
        "other names": [header.replace("e", "E"), *rows],
        "more cells": [header, *(f"{row},1,2,3" for row in rows)],
    }
    for value in ("nan", "inf", "-1e308", "", '"', "99999999999999999999"):
        table[f"a cell {value!r}"] = [header, ",".join([*cells[:-1], value]), *rows[1:]]
    yield from ((name, ("\n".join(lines) + "\n").encode()) for name, lines in table.items())


def of_json(path):
    content = json.loads(path.read_text())
    yield from ((str(each), json.dumps(each).encode()) for each in ([], {}, None, 3, "text"))
    yield "nested", b"[" * 100_000
    for key, value in content.items():
        yield f"without {key}", json.dumps({k: v for k, v in content.items() if k != key}).encode()
        for other in (None, 7, "text", [], {}, [None], {"train": None}, {"a": [1, 2, 3]}, -1.5):
            if other != value:
                yield f"{key} {other}", json.dumps(content | {key: other}).encode()


def of_any(path):
    content = path.read_bytes()
    for size in (0, 1, 8, len(content) // 2, len(content) - 2):
        yield f"cut to {size}", content[:size]
    yield "noise", np.random.default_rng(0).bytes(500)
    if path.suffix != ".npz":  # parts of an archive hold nothing
        yield "longer", content + b"\0" * 10
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        yield "one bit", bytes(flipped)
    other = Path(str(path).replace("vae", "other"))
    if other != path:
        yield "that of another model", other.read_bytes()


BY_SUFFIX = {
    ".npy": of_npy, ".npz": of_npz, ".safetensors": of_weights, ".csv": of_csv, ".json": of_json
}  # fmt: skip


@pytest.mark.parametrize(("name", "stage"), READ.items())
def test_an_altered_file_is_refused_in_one_line(name, stage, workspace):
    path = workspace / name
    good = path.read_bytes()
    attacks = dict(of_any(path)) | dict(BY_SUFFIX[path.suffix](path))
    assert len(attacks) > 15
    wrong = []
    for attack, content in attacks.items():
        assert content != good or attack == "rows twice", attack
        path.write_bytes(content)
        before = bytes_of(workspace)
        result = invoke(stage)
        message = str(result.exception)
        if not isinstance(result.exception, LatentlabError):
            wrong.append(f"{attack}: {result.exception!r}")
        elif "\n" in message or len(message) > 600 or "`dvc repro`" not in message:
            wrong.append(f"{attack}: {message}")
        elif Path(name).parent.as_posix() not in message:
            wrong.append(f"{attack}: names no file: {message}")
        elif bytes_of(workspace) != before:
            wrong.append(f"{attack}: wrote files")
            shutil.rmtree(workspace)
    assert not wrong, "\n".join(wrong)
    assert not (workspace / "pwned").exists()
    path.write_bytes(good)
    run(stage)


@pytest.mark.parametrize("folder", ["data/latents", "data/evaluation", "models"])
def test_folders_of_two_models_that_changed_places_are_refused(folder, workspace):
    first, second = (workspace / folder / name for name in MODELS)
    first.rename(workspace / "spare")
    second.rename(first)
    (workspace / "spare").rename(second)
    result = invoke("plot")
    assert isinstance(result.exception, LatentlabError), result.exception
    assert "was not made from" in str(result.exception)


def test_a_removed_file_and_a_file_too_many_are_named(workspace):
    path = workspace / "data/latents/vae/test/kl.npy"
    content = path.read_bytes()
    path.unlink()
    assert isinstance(invoke("evaluate").exception, LatentlabError)
    path.write_bytes(content)
    path.with_name("more.npy").write_bytes(content)
    assert "more.npy: not the file that a stage wrote" in str(invoke("evaluate").exception)
    # What a file manager leaves behind harms nothing.
    path.with_name("more.npy").rename(path.with_name(".more"))
    run("evaluate")


@pytest.mark.parametrize(
    ("stage", "message"), [("train", "models.vae: training needs"), ("fit_gmm", "gmm: fitting")]
)
def test_what_does_not_fit_is_refused_where_check_could_not_know(
    stage, message, workspace, monkeypatch
):
    monkeypatch.setattr(f"stages.{stage}.total_memory", lambda: 1000)
    before = bytes_of(workspace)
    result = invoke(stage)
    assert isinstance(result.exception, LatentlabError), result.exception
    assert str(result.exception).startswith(message)
    assert bytes_of(workspace) == before
