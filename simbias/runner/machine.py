"""The machine: its devices, and the speed of their matrix products."""

import time

import jax
import numpy as np

from simbias._devices import usable_cores
from simbias._pinned import pinned
from simbias.experiments import versions
from simbias.parallel import devices_for, over_seeds, spread


@pinned
def matmul_gflops(size: int = 1024, repeats: int = 5) -> float:
    """The rate of float32 matrix products, one at a time on each device, in GFLOP/s of them all."""
    devices = devices_for()

    def products(matrix: jax.Array) -> jax.Array:
        def product(matrix: jax.Array, _: None) -> tuple[jax.Array, None]:
            return matrix @ matrix / size, None

        return jax.lax.scan(product, matrix, length=repeats)[0]

    program = over_seeds(products, devices)
    matrices = spread([np.ones((size, size), np.float32)] * len(devices), devices)
    program(matrices).block_until_ready()
    clock = time.perf_counter()
    program(matrices).block_until_ready()
    return len(devices) * repeats * 2 * size**3 / (time.perf_counter() - clock) / 1e9


def describe() -> list[str]:
    """Lines about versions, devices and speed, with advice where the devices are set up badly."""
    devices = jax.devices()
    cores = usable_cores()
    lines = [f"{name} {version}" for name, version in versions().items()]
    lines.append(
        f"{len(devices)} x {devices[0].platform} ({devices[0].device_kind}), {cores} cores"
    )
    lines.append(f"float32 matrix products: {matmul_gflops():.0f} GFLOP/s over all devices")
    caching = jax.config.values["jax_enable_compilation_cache"]
    folder = jax.config.values["jax_compilation_cache_dir"] if caching else None
    lines.append(f"compiled programs: {folder or 'not kept'}")
    if devices[0].platform == "cpu" and len(devices) != cores:
        lines.append(
            f"advice: {len(devices)} CPU devices for {cores} cores: unset jax_num_cpu_devices"
        )
    return lines
