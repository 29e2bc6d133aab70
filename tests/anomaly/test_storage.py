import numpy as np
import pytest

from latentlab.anomaly.storage import load_detector, save_detector
from latentlab.errors import LatentlabError
from tests.anomaly.test_detector import TEST, detector_of, mixture  # noqa: F401


@pytest.fixture
def path(mixture, tmp_path):  # noqa: F811
    save_detector(detector_of(mixture), tmp_path / "d.npz")
    return tmp_path / "d.npz"


def test_a_loaded_detector_gives_the_same_bytes(path, mixture):  # noqa: F811
    before, after = detector_of(mixture), load_detector(path)
    scores, loaded = before.score(TEST), after.score(TEST)
    assert list(scores) == list(loaded)
    for name, values in scores.items():
        np.testing.assert_array_equal(loaded[name], values)
    np.testing.assert_array_equal(
        after.normalize(loaded["combined"]), before.normalize(scores["combined"])
    )


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_named(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(LatentlabError, match=r"d\.npz: not a readable anomaly detector"):
        load_detector(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LatentlabError, match=r"none\.npz: not a readable anomaly detector"):
        load_detector(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("headline", np.array("beauty")),
        ("headline", np.array(3)),
        ("n_neighbors", np.array(200)),
        ("n_neighbors", np.array(2.5)),
        ("threshold", np.array(-1e9)),
        ("median", np.array(np.nan)),
        ("n_images", np.array(0)),
        ("n_images", None),
        ("scales", np.zeros((2, 3))),
        ("scales", np.ones((1, 3))),
        ("center", np.zeros(2)),
        ("whitening", np.full((3, 3), np.inf)),
        ("train_mean", np.zeros((200, 2), np.float32)),
        ("train_mean", np.array(["a", "b"])),
        ("train_mean", np.array(1.0, np.float32)),
        ("train_mean", np.array([{}], dtype=object)),
        ("mixture_weights", np.array([2.0, -1.0])),
        ("mixture_means", None),
        ("scales", None),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(path, name, array):
    with np.load(path) as arrays:
        content = dict(arrays) | {name: array}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    with pytest.raises(LatentlabError, match=r"d\.npz: not a readable anomaly detector"):
        load_detector(path)


def test_arrays_that_are_others_of_the_same_shape_are_refused(path):
    with np.load(path) as file:
        arrays = dict(file)
    arrays["train_mean"] = arrays["train_mean"][::-1]
    np.savez(path, **arrays)
    with pytest.raises(LatentlabError, match=r"d\.npz: .*its arrays are not those"):
        load_detector(path)
