import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from latentlab.errors import LatentlabError
from latentlab.randomness import make_repeatable, resolve_device, sample_indices, stream_seed

CPU = torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused_with_the_remedy():
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == resolve_device("auto").type == "cuda"
        return
    with pytest.raises(
        LatentlabError, match=r"device: found 'cuda', but torch .* sees no GPU; set"
    ):
        resolve_device("cuda")
    assert resolve_device("auto") == CPU


def test_only_deterministic_kernels_are_allowed():
    make_repeatable(0, 1)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_numpy_has_as_many_threads_as_torch(threads):
    """On machines with more cores it would take as many as there are cores."""
    with threadpool_limits(3):
        make_repeatable(0, threads)
        numbers = {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}
        assert numbers == {threads}
    torch.set_num_threads(1)


def test_sampled_indices_are_distinct_sorted_and_all_equally_likely():
    counts = np.zeros(10)
    for seed in range(2000):
        chosen = sample_indices(10, 4, seed, "test")
        assert (np.diff(chosen) > 0).all()
        counts[chosen] += 1
    # Each index is in 4 of 10 samples: 800 of 2000, with a standard deviation of 22.
    assert np.abs(counts - 800).max() < 5 * 22


def test_sampled_indices_repeat_with_their_seed():
    np.testing.assert_array_equal(
        sample_indices(100, 5, 1, "test"), sample_indices(100, 5, 1, "test")
    )
    assert sample_indices(100, 5, 1, "test").tolist() != sample_indices(100, 5, 2, "test").tolist()


@pytest.mark.parametrize("count", [3, 4, 100])
def test_all_indices_are_taken_where_there_are_too_few(count):
    assert sample_indices(3, count, 0, "test").tolist() == [0, 1, 2]


def test_sampling_indices_needs_no_torch():
    code = "import sys, latentlab.randomness; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_streams_of_two_purposes_share_no_number():
    first, second = (
        np.random.default_rng(stream_seed(0, purpose)).integers(2**60, size=1000)
        for purpose in ("weights", "batch order")
    )
    assert not set(first.tolist()) & set(second.tolist())


def test_a_stream_is_that_of_numpys_seed_sequence():
    expected = np.random.SeedSequence([7, *b"weights"]).generate_state(1)[0]
    assert stream_seed(7, "weights") == expected
    assert stream_seed(8, "weights") != expected
