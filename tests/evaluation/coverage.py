"""How often each kind of interval holds the population's value, from planted populations.

Run as ``python -m tests.evaluation.coverage`` to write the tables of docs/intervals.md anew, which
takes about fifteen minutes of one core. Each case draws sets of images from a population whose
value is known without any of the code that is measured.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.linalg import sqrtm
from scipy.stats import norm
from sklearn.metrics import adjusted_mutual_info_score

from latentlab.evaluation.classification import macro_scores
from latentlab.evaluation.clustering import ari, nmi, population_nmi
from latentlab.evaluation.generation import (
    frechet_distance,
    kernel_distance,
    kernel_interval,
)
from latentlab.evaluation.intervals import (
    auroc_interval,
    mean_interval,
    share_interval,
    table_interval,
)
from tools.docs import with_tables

PAGE = Path(__file__).resolve().parents[2] / "docs/intervals.md"
SIZES = (360, 10_000)
N_RESAMPLES = 1000
SAMPLES = 1000  # `evaluate.n_samples`
SMALL, LARGE = SIZES
LOW, HIGH = 0.93, 0.97

NEAR_0 = "too long: near 0 the jackknife takes the scatter for larger than it is"
SPREAD = "too long for 360 images: it allows for pairs that are not among them"
SCALE = "too long for 360 images: the scale, taken from the same images, takes scatter away"
NEAR_1 = "too short for 360 images: few of their 180 anomalies score below an image"
RARE = "too short for 360 images: the rarest class has four, which are often all right"


class Case(NamedTuple):
    """An interval of a population whose value is known.

    Attributes:
        interval: Kind of the interval.
        population: What is drawn from.
        truth: The population's value.
        draw: Interval of one set of images, given random numbers and the number of images.
        is_slow: Whether fewer sets are drawn.
        why: Why the coverage is not from 0.93 to 0.97; empty where it is.
    """

    interval: str
    population: str
    truth: float
    draw: Callable
    is_slow: bool = False
    why: str = ""


class Estimate(NamedTuple):
    """An estimate that may be biased."""

    metric: str
    population: str
    truth: float
    draw: Callable
    sizes: tuple[int, ...] = SIZES


def coverage(case, n, repeats, seed=0):
    """Share of ``repeats`` sets of ``n`` images whose interval holds the population's value."""
    rng = np.random.default_rng(seed)
    held = [low <= case.truth <= high for low, high in (case.draw(rng, n) for _ in range(repeats))]
    return float(np.mean(held))


def mean_cases():
    def case(name, truth, values):
        def draw(rng, n):
            return mean_interval(values(rng, n), N_RESAMPLES, int(rng.integers(2**31)))

        return Case("mean", name, truth, draw, is_slow=True)

    return [
        case("normal", 0.0, lambda rng, n: rng.normal(0, 1, n)),
        case("exponential", 1.0, lambda rng, n: rng.exponential(1, n)),
        case("log-normal", float(np.exp(0.32)), lambda rng, n: rng.lognormal(0, 0.8, n)),
    ]


def share_cases():
    def case(truth):
        def draw(rng, n):
            return share_interval(rng.random(n) < truth)

        return Case("share", f"{truth:.1%} right", truth, draw)

    return [case(share) for share in (0.5, 0.8, 0.9, 0.97, 0.995, 0.999)]


def tables():
    """Shares of images by class and component, which sum to 1."""

    def evenly(right, weights):
        wrong = (1 - right) / 9
        return weights[:, None] * (np.full((10, 10), wrong) + np.eye(10) * (right - wrong))

    equal = np.full(10, 0.1)
    unequal = np.array([0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01])
    found = {
        "10 classes, chance": evenly(0.1, equal),
        **{
            f"10 classes, {right:.1%} right, errors spread evenly": evenly(right, equal)
            for right in (0.5, 0.8, 0.95, 0.995)
        },
        "10 classes of 40 to 1 % of the images, 95.0% right": evenly(0.95, unequal),
    }
    rng = np.random.default_rng(1)
    sparse = 0.8 * np.eye(10) + 0.2 * rng.dirichlet(np.full(10, 0.1), 10)
    return found | {"10 classes, 80 to 100 % right, errors in few cells": sparse / 10}


def true_ari(shares):
    """Of shares, where pairs are of different images of an endless population."""
    rows, columns = (shares.sum(1) ** 2).sum(), (shares.sum(0) ** 2).sum()
    expected = rows * columns
    return (
        round(float(((shares**2).sum() - expected) / ((rows + columns) / 2 - expected)), 12) + 0.0
    )


def true_nmi(shares):
    independent = np.outer(shares.sum(1), shares.sum(0))
    there = shares > 0
    mutual = (shares[there] * np.log(shares[there] / independent[there])).sum()
    rows, columns = shares.sum(1), shares.sum(0)
    entropies = -(rows * np.log(rows)).sum() - (columns * np.log(columns)).sum()
    return max(0.0, float(2 * mutual / entropies))


def true_macro(shares):
    """Precision, recall and F1."""
    right, actual, predicted = np.diag(shares), shares.sum(1), shares.sum(0)
    precision, recall = right / predicted, right / actual
    return precision.mean(), recall.mean(), (2 * precision * recall / (precision + recall)).mean()


def drawn_table(rng, shares, n):
    return rng.multinomial(n, shares.ravel()).reshape(shares.shape)


def macro(name):
    def statistic(counts):
        none = np.zeros((*counts.shape[:-1], 1), counts.dtype)
        return getattr(macro_scores(np.concatenate([counts, none], axis=-1)), name)

    return statistic


def table_cases():
    cases = []
    for name, shares in tables().items():
        agreement = NEAR_0 if "chance" in name else ""
        spread = SPREAD if "errors spread evenly" in name else ""
        rare = RARE if "40 to 1 %" in name else ""
        metrics = [
            ("AMI, NMI", true_nmi(shares), population_nmi, 0.0, agreement or spread),
            ("ARI", true_ari(shares), ari, -0.5, agreement),
        ]
        for metric, truth in zip(("precision", "recall", "F1"), true_macro(shares), strict=True):
            metrics.append((metric, truth, macro(metric.lower()), 0.0, rare))
        for metric, truth, statistic, lowest, why in metrics:

            def draw(rng, n, shares=shares, statistic=statistic, lowest=lowest):
                return table_interval(drawn_table(rng, shares, n), statistic, lowest)

            cases.append(Case(metric, name, float(truth), draw, why=why))
    return cases


def auroc_cases():
    def case(area):
        shift = norm.ppf(area) * np.sqrt(2)

        def draw(rng, n):
            return auroc_interval(rng.normal(0, 1, n), rng.normal(shift, 1, n // 2))

        why = NEAR_1 if area > 0.99 else ""
        return Case("AUROC", "half as many anomalies as images", area, draw, why=why)

    return [case(area) for area in (0.55, 0.75, 0.9, 0.97, 0.99, 0.998)]


def features(shift, count=2000, width=64):
    """A population of images and one of samples, whose classes lie nearer to 0 the more shift."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0.2, 1, (10, width))[rng.integers(0, 10, count)]
    images = np.maximum(centers + rng.normal(0, 0.5, (count, width)), 0)
    if shift == 0:
        return images, images
    samples = centers * (1 - shift) + rng.normal(0, 0.5 * (1 + shift), (count, width))
    return images, np.maximum(samples, 0)


def true_kernel(images, samples):
    """The distance of two finite populations drawn from with replacement, on the images' scale."""
    scale = (images**2).sum() / images.size

    def mean(first, second):
        return np.mean((first @ second.T / first.shape[1] / scale + 1) ** 3)

    return float(mean(images, images) + mean(samples, samples) - 2 * mean(images, samples))


def true_frechet(images, samples):
    first, second = (np.cov(rows, rowvar=False, ddof=0) for rows in (images, samples))
    shift = images.mean(0) - samples.mean(0)
    root = np.real(sqrtm(first @ second))
    return max(0.0, float(shift @ shift + np.trace(first + second - 2 * root)))


def drawn_features(rng, population, n):
    images, samples = population
    return (
        images[rng.integers(0, len(images), n)],
        samples[rng.integers(0, len(samples), SAMPLES)],
    )


def kernel_of(images, samples):
    """As ``sample_scores`` has it: features in units of their root mean square."""
    scale = np.sqrt(np.mean(images**2))
    return kernel_distance(images / scale, samples / scale)


DISTANCES = {"nothing differs": 0.0, "little differs": 0.1, "much differs": 0.3}


def kernel_cases():
    cases = []
    for name, shift in DISTANCES.items():
        population = features(shift)

        def draw(rng, n, population=population):
            return kernel_interval(kernel_of(*drawn_features(rng, population, n)))

        why = {0.0: NEAR_0, 0.3: SCALE}.get(shift, "")
        cases.append(Case("KID", name, true_kernel(*population), draw, is_slow=True, why=why))
    return cases


def all_cases():
    return [*mean_cases(), *share_cases(), *table_cases(), *auroc_cases(), *kernel_cases()]


def all_estimates():
    estimates = []
    for name, shares in tables().items():
        truth = true_nmi(shares)

        def draw_ami(rng, n, shares=shares):
            counts = drawn_table(rng, shares, n).ravel()
            return adjusted_mutual_info_score(
                *(np.repeat(codes, counts) for codes in np.divmod(np.arange(100), 10))
            )

        def draw_nmi(rng, n, shares=shares):
            return float(nmi(drawn_table(rng, shares, n)))

        def draw_population(rng, n, shares=shares):
            return float(population_nmi(drawn_table(rng, shares, n)))

        estimates += [
            Estimate("NMI", name, truth, draw_nmi),
            Estimate("AMI", name, truth, draw_ami),
            Estimate("middle of their interval", name, truth, draw_population),
        ]
    for name, shift in DISTANCES.items():
        population = features(shift)

        def draw_kernel(rng, n, population=population):
            return kernel_of(*drawn_features(rng, population, n)).value

        def draw_frechet(rng, n, population=population):
            return frechet_distance(*drawn_features(rng, population, n))

        estimates += [
            # Large sets take their time, and there is no bias to see in them.
            Estimate("KID", name, true_kernel(*population), draw_kernel, (SMALL,)),
            Estimate("Fréchet", name, true_frechet(*population), draw_frechet),
        ]
    return estimates


def mean_estimate(estimate, n, repeats, seed=0):
    """Mean of the estimates of ``repeats`` sets of ``n`` images, and its standard error."""
    rng = np.random.default_rng(seed)
    values = [estimate.draw(rng, n) for _ in range(repeats)]
    return float(np.mean(values)), float(np.std(values) / np.sqrt(repeats))


def coverage_table():
    rows = [
        "| interval of | population | its value | n = 360 | n = 10,000 | |",
        "|---|---|---|---|---|---|",
    ]
    for case in all_cases():
        repeats = {SMALL: 1000, LARGE: 200} if case.is_slow else {SMALL: 2000, LARGE: 2000}
        found = [coverage(case, n, repeats[n]) for n in SIZES]
        cells = [case.interval, case.population, f"{case.truth:.4f}"]
        rows.append(_row(*cells, *(f"{share:.3f}" for share in found), case.why))
        print(rows[-1], flush=True)
    return "\n".join(rows)


def estimates_table():
    rows = [
        "| metric | population | its value | mean at n = 360 | mean at n = 10,000 |",
        "|---|---|---|---|---|",
    ]
    for estimate in all_estimates():
        means = [
            f"{mean_estimate(estimate, n, 400)[0]:.4f}" if n in estimate.sizes else ""
            for n in SIZES
        ]
        rows.append(_row(estimate.metric, estimate.population, f"{estimate.truth:.4f}", *means))
        print(rows[-1], flush=True)
    return "\n".join(rows)


def _row(*cells):
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


if __name__ == "__main__":
    tables_of_page = {"estimates": estimates_table(), "coverage": coverage_table()}
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), tables_of_page), "utf-8")
