"""A Ray of two machines, both of them this one."""

from contextlib import contextmanager

import pytest


@contextmanager
def two_machines():
    """Yields the value of ``LATENTLAB_ENGINE`` that names it."""
    pytest.importorskip("ray", reason="the package ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20)
        yield f"ray:{cluster.address}"
    finally:
        cluster.shutdown()
