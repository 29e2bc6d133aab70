import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from latentlab.evaluation import reconstruction
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.reconstruction import mse, psnr, reconstruction_scores, ssim
from latentlab.pixels import to_range
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    images = rng.random((5, 3, 12, 12), dtype=np.float32)
    noisy = np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1).astype(np.float32)
    return images, noisy


def test_perfect_copies_score_best(pairs):
    images, _ = pairs
    assert (mse(images, images) == 0).all()
    assert (psnr(mse(images, images)) == 100).all()
    np.testing.assert_allclose(ssim(images, images), 1)


def test_white_for_black_scores_worst():
    black = np.zeros((1, 1, 8, 8), np.float32)
    assert mse(black, 1 - black).tolist() == [1]
    assert psnr(mse(black, 1 - black)).tolist() == [0]
    assert ssim(black, 1 - black)[0] < 0.001


def test_mse_is_per_image(pairs):
    images, noisy = pairs
    expected = [np.mean((a.astype(float) - b) ** 2) for a, b in zip(*pairs, strict=True)]
    np.testing.assert_allclose(mse(images, noisy), expected)


def test_psnr_takes_one_as_the_peak(pairs):
    """With a peak of 255 it would be 48 dB higher."""
    error = mse(*pairs)
    np.testing.assert_allclose(psnr(error), 20 * np.log10(1 / np.sqrt(error)))


def test_ssim_is_its_formula_with_a_range_of_one(pairs):
    """The formula of Wang et al. by hand; a data range of 255 would come out near 1."""

    def by_hand(x, y):
        window, inner = 7, slice(3, -3)
        unbiased = window**2 / (window**2 - 1)
        mx, my = uniform_filter(x, window), uniform_filter(y, window)
        vx = unbiased * (uniform_filter(x * x, window) - mx * mx)
        vy = unbiased * (uniform_filter(y * y, window) - my * my)
        vxy = unbiased * (uniform_filter(x * y, window) - mx * my)
        c1, c2 = 0.01**2, 0.03**2
        values = (2 * mx * my + c1) * (2 * vxy + c2)
        values /= (mx**2 + my**2 + c1) * (vx + vy + c2)
        return values[inner, inner].mean()

    expected = [
        np.mean([by_hand(a.astype(float), b.astype(float)) for a, b in zip(x, y, strict=True)])
        for x, y in zip(*pairs, strict=True)
    ]
    np.testing.assert_allclose(ssim(*pairs), expected, rtol=1e-5)


def test_more_noise_scores_worse(pairs):
    images, noisy = pairs
    noisier = np.clip(images + 3 * (noisy - images), 0, 1)
    assert (mse(images, noisier) > mse(images, noisy)).all()
    assert (ssim(images, noisier) < ssim(images, noisy)).all()


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_scores_are_on_one_scale_whatever_the_range(pixel_range, images):
    shifted = np.clip(images.astype(int) + 10, 0, 255).astype(np.uint8)
    found = reconstruction_scores(images, to_range(shifted, pixel_range), pixel_range, BOOTSTRAP)
    scores = by_name(found)
    expected = np.mean(((shifted.astype(float) - images) / 255) ** 2)
    assert scores["reconstruction.mse"] == pytest.approx(expected, rel=1e-4)
    assert scores["reconstruction.psnr"] == pytest.approx(-10 * np.log10(10**2 / 255**2), abs=0.1)
    assert 0.8 < scores["reconstruction.ssim"] < 1


def test_chunks_do_not_change_scores(images, monkeypatch):
    copies = to_range(images[::-1], "unit")
    whole = reconstruction_scores(images, copies, "unit", BOOTSTRAP)
    monkeypatch.setattr(reconstruction, "CHUNK", 7)
    parts = reconstruction_scores(images, copies, "unit", BOOTSTRAP)
    assert by_name(parts) == pytest.approx(by_name(whole))


def test_scores_have_intervals_around_them(images):
    for score in reconstruction_scores(images, to_range(images[::-1], "unit"), "unit", BOOTSTRAP):
        assert score.low < score.value < score.high
