import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from latentlab.errors import LatentlabError
from latentlab.mixture import fitting
from latentlab.mixture.fitting import Labeled, compare_n_components, fit_mixture
from latentlab.mixture.matching import majority, one_to_one
from latentlab.mixture.mixture import load_mixture, save_mixture
from latentlab.mixture.settings import MixtureSettings

MEANS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
COVARIANCES = np.array([np.eye(2), [[1.0, 0.8], [0.8, 1.0]], 0.25 * np.eye(2)])
SIZES = (1500, 900, 600)


@pytest.fixture(scope="module")
def planted():
    """Latents drawn from a known mixture, and the component of each."""
    rng = np.random.default_rng(0)
    parts = [
        rng.multivariate_normal(mean, covariance, size)
        for mean, covariance, size in zip(MEANS, COVARIANCES, SIZES, strict=True)
    ]
    return np.concatenate(parts), np.repeat([0, 1, 2], SIZES)


SETTINGS = MixtureSettings(
    space="latents",
    n_neighbors=15,
    n_components=None,
    covariance_type="full",
    init="kmeans",
    n_init=3,
    max_iter=200,
    reg_covar=0.0,
    n_components_grid=None,
)


def fitted(latents, labels, classes=3, seed=0, labeled=None, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return fit_mixture(
        latents, labels, classes=classes, settings=settings, seed=seed, labeled=labeled
    )


def test_a_planted_mixture_is_recovered(planted):
    mixture = fitted(*planted)
    np.testing.assert_allclose(mixture.weights, np.array(SIZES) / sum(SIZES), atol=0.01)
    np.testing.assert_allclose(mixture.means, MEANS, atol=0.12)
    np.testing.assert_allclose(mixture.full_covariances(), COVARIANCES, atol=0.12)
    np.testing.assert_array_equal(mixture.component_class, [0, 1, 2])
    assert (mixture.component_class[mixture.predict(planted[0])] == planted[1]).mean() > 0.99


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_densities_are_those_of_scipy(covariance, planted):
    mixture = fitted(*planted, covariance_type=covariance)
    at = planted[0][::97]
    expected = sum(
        weight * multivariate_normal(mean, matrix).pdf(at)
        for weight, mean, matrix in zip(
            mixture.weights, mixture.means, mixture.full_covariances(), strict=True
        )
    )
    np.testing.assert_allclose(mixture.score_samples(at), np.log(expected), rtol=1e-8)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_the_fit_is_that_of_scikit_learn_in_another_order(covariance, planted):
    latents, labels = planted
    ours = fitted(latents, labels, covariance_type=covariance)
    theirs = GaussianMixture(
        3, covariance_type=covariance, n_init=3, max_iter=200, reg_covar=0, random_state=0
    ).fit(latents)
    np.testing.assert_allclose(
        ours.score_samples(latents).mean(), theirs.score(latents), rtol=1e-12
    )
    assert (np.diff(ours.weights) <= 0).all()
    np.testing.assert_allclose(sorted(ours.weights), sorted(theirs.weights_), rtol=1e-9)
    assert ours.bic(latents) == pytest.approx(theirs.bic(latents), rel=1e-12)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_samples_have_the_moments_of_their_component(covariance, planted):
    mixture = fitted(*planted, covariance_type=covariance)
    draws = mixture.sample(40_000, np.random.default_rng(0), component=1)
    np.testing.assert_allclose(draws.mean(0), mixture.means[1], atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), mixture.full_covariances()[1], atol=0.05)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_a_saved_mixture_is_the_same(covariance, planted, tmp_path):
    mixture = fitted(*planted, covariance_type=covariance)
    save_mixture(mixture, tmp_path / "a.npz")
    back = load_mixture(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.predict(planted[0]), mixture.predict(planted[0]))
    np.testing.assert_array_equal(
        back.score_samples(planted[0]), mixture.score_samples(planted[0])
    )
    assert back.reg_covar == mixture.reg_covar
    save_mixture(back, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_regularization_means_the_same_at_any_scale(planted):
    latents, labels = planted
    small, large = (fitted(scale * latents, labels, reg_covar=0.01) for scale in (0.001, 1000.0))
    np.testing.assert_array_equal(small.predict(0.001 * latents), large.predict(1000.0 * latents))
    assert large.reg_covar == pytest.approx(1e12 * small.reg_covar)


def test_no_label_takes_part_in_the_fit(planted):
    latents, labels = planted
    shuffled = np.random.default_rng(0).permutation(labels)
    np.testing.assert_array_equal(fitted(latents, labels).means, fitted(latents, shuffled).means)


def test_a_class_without_component_is_left_out_by_majority(planted):
    mixture = fitted(*planted, n_components=2)
    assert not mixture.is_one_to_one
    assert len(set(mixture.component_class)) == 2


def test_more_components_than_classes_share_a_class(planted):
    mixture = fitted(*planted, n_components=6)
    assert sorted(set(mixture.component_class)) == [0, 1, 2]
    assert sorted(mixture.one_to_one_class) == [-1, -1, -1, 0, 1, 2]


def test_without_classes_components_are_assigned_to_none(planted):
    latents, labels = planted
    mixture = fitted(latents, np.full_like(labels, -1), classes=0, n_components=3)
    np.testing.assert_array_equal(mixture.component_class, [-1, -1, -1])


def test_one_to_one_matching_is_the_best_of_all_permutations():
    """Brute force over every matching; a greedy one would fail the first case."""
    from itertools import permutations

    rng = np.random.default_rng(0)
    for counts in [np.array([[5, 4], [6, 0]]), *rng.integers(0, 9, (20, 4, 4))]:
        named = one_to_one(counts)
        best = max(
            sum(counts[i, j] for i, j in enumerate(order))
            for order in permutations(range(len(counts)))
        )
        assert sum(counts[i, j] for i, j in enumerate(named)) == best
        assert len(set(named)) == len(named)


def test_an_empty_component_has_no_majority():
    assert majority(np.array([[0, 0], [1, 3]])).tolist() == [-1, 1]


def test_fewer_latents_than_components_are_refused():
    message = r"gmm\.n_components: found 5, but there are 4 training latents; allowed: 1 to 4"
    with pytest.raises(LatentlabError, match=message):
        fitted(np.eye(4), np.zeros(4, int), n_components=5)


def test_a_number_of_components_is_needed_without_classes(planted):
    with pytest.raises(LatentlabError, match=r"gmm\.n_components: empty means one per class, but"):
        fitted(*planted, classes=0)


def test_constant_latents_are_refused_with_the_remedy():
    with pytest.raises(LatentlabError, match=r"latents are constant .* lower the model's beta"):
        fitted(np.ones((50, 3)), np.zeros(50, int))


def test_latents_that_are_no_numbers_are_refused():
    latents = np.ones((50, 3))
    latents[7] = np.nan
    with pytest.raises(LatentlabError, match="latents are not all finite"):
        fitted(latents, np.zeros(50, int))


def test_a_dimension_that_is_constant_is_regularized_and_said(planted):
    """A collapsed latent dimension makes covariances singular; the fit says what it added."""
    latents, labels = planted
    flat = np.column_stack([latents, np.zeros(len(latents))])
    mixture = fitted(flat, labels)
    assert mixture.reg_covar > 0
    assert (mixture.component_class[mixture.predict(flat)] == labels).mean() > 0.99


def test_a_component_that_collapses_in_the_last_step_is_regularized_too():
    """Two equal latents far from all others are left alone with a component."""
    latents = np.array([*np.linspace(-1.5, 1.5, 4000), 2.59, 6.52, 6.52])[:, None]
    labels = np.repeat([0, 1], [4000, 3])
    known = Labeled(np.array([*np.linspace(-1.5, 1.5, 20), 5.4])[:, None], labels[3980:4001])
    mixture = fitted(latents, labels, classes=2, init="labeled", labeled=known)
    assert mixture.reg_covar > 0
    assert np.isfinite(mixture.score_samples(latents)).all()


def test_starts_that_are_no_numbers_are_refused(planted):
    latents, labels = planted
    known = Labeled(np.where(np.arange(len(latents))[:, None] == 3, np.nan, latents), labels)
    with pytest.raises(LatentlabError, match="latents are not all finite"):
        fitted(latents, labels, init="labeled", labeled=known)


def test_a_fit_that_does_not_converge_is_refused_with_the_remedy():
    noise = np.random.default_rng(0).standard_normal((500, 8))
    with pytest.raises(LatentlabError, match=r"gmm\.max_iter: the likeliest of 3 fits"):
        fitted(noise, np.zeros(500, int), n_components=8, max_iter=1)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "m.npz").write_bytes(b"PK nothing")
    with pytest.raises(LatentlabError, match=r"m\.npz: not a readable mixture"):
        load_mixture(tmp_path / "m.npz")
    np.savez(tmp_path / "n.npz", weights=np.ones(3))
    with pytest.raises(LatentlabError, match=r"n\.npz: not a readable mixture"):
        load_mixture(tmp_path / "n.npz")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("weights", np.ones(2)),
        ("means", np.full((3, 2), np.nan)),
        ("means", np.zeros(3)),
        ("covariance_type", np.array("round")),
        ("covariances", np.zeros((3, 2))),
        ("covariances", np.zeros((3, 2, 2))),
        ("weights", np.array([1.5, -0.5, 0.0])),
        ("majority_class", np.zeros(1, int)),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(name, array, planted, tmp_path):
    save_mixture(fitted(*planted), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        content = dict(arrays)
    np.savez(tmp_path / "m.npz", **content | {name: array})
    with pytest.raises(LatentlabError, match=r"m\.npz: not a readable mixture"):
        load_mixture(tmp_path / "m.npz")


def test_posteriors_are_bayes_rule_and_classes_share_their_components(planted):
    mixture = fitted(*planted, n_components=5)
    at = planted[0][::97]
    densities = np.array(
        [
            weight * multivariate_normal(mean, matrix).pdf(at)
            for weight, mean, matrix in zip(
                mixture.weights, mixture.means, mixture.full_covariances(), strict=True
            )
        ]
    )
    expected = (densities / densities.sum(axis=0)).T
    np.testing.assert_allclose(mixture.predict_proba(at), expected, atol=1e-9)
    by_class = mixture.predict_class_proba(at, 3)
    for label in range(3):
        carried = expected[:, mixture.component_class == label].sum(axis=1)
        np.testing.assert_allclose(by_class[:, label], carried, atol=1e-9)
    np.testing.assert_allclose(by_class.sum(axis=1), 1)


def test_draws_have_the_weights_and_the_moments_of_the_mixture(planted):
    mixture = fitted(*planted)
    draws = mixture.sample(20_000, np.random.default_rng(0))
    np.testing.assert_allclose(draws.mean(axis=0), planted[0].mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(planted[0].T), rtol=0.1, atol=0.15)
    # The first ones are as mixed as all.
    np.testing.assert_allclose(draws[:2000].mean(axis=0), planted[0].mean(axis=0), atol=0.3)


def test_numbers_of_components_above_the_number_of_latents_are_left_out(planted):
    few = compare_n_components(planted[0][:5], [2, 50], SETTINGS, seed=0)
    assert [each.n_components for each in few] == [2]


def test_bic_prefers_the_planted_number_and_is_its_formula(planted):
    compared = compare_n_components(planted[0], [1, 2, 3, 6], SETTINGS, seed=0)
    assert [each.n_components for each in compared] == [1, 2, 3, 6]
    assert min(compared, key=lambda each: each.bic).n_components == 3
    single = compared[0].bic
    gaussian = multivariate_normal(planted[0].mean(axis=0), np.cov(planted[0].T, bias=True))
    expected = -2 * gaussian.logpdf(planted[0]).sum() + 5 * np.log(len(planted[0]))
    assert single == pytest.approx(expected, rel=1e-4)


def test_many_latents_are_compared_by_some_of_them(planted, monkeypatch):
    monkeypatch.setattr(fitting, "MAX_COMPARED", 500)
    (found,) = compare_n_components(planted[0], [1], SETTINGS, seed=0)
    (whole,) = compare_n_components(planted[0][::6], [1], SETTINGS, seed=0)
    assert found.bic == pytest.approx(whole.bic, rel=0.1)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_labeled_starts_lead_to_the_planted_components(covariance, planted):
    latents, labels = planted
    known = Labeled(latents[::50], labels[::50])
    mixture = fitted(latents, labels, init="labeled", labeled=known, covariance_type=covariance)
    assert (mixture.component_class[mixture.predict(latents)] == labels).mean() > 0.9


def test_labeled_starts_need_a_component_and_an_image_a_class(planted):
    latents, labels = planted
    known = Labeled(latents, labels)
    with pytest.raises(LatentlabError, match="4 components and 3 classes; leave"):
        fitted(latents, labels, init="labeled", labeled=known, n_components=4)
    some = Labeled(latents[labels < 2], labels[labels < 2])
    with pytest.raises(LatentlabError, match="some class has none there; raise"):
        fitted(latents, labels, init="labeled", labeled=some)
