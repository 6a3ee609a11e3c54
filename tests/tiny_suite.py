"""A suite of networks that train in a moment, for tests in which processes come and go."""

SAME = (
    "seed, status, updates, risk, train_loss, memorised, s_randomised_auc, weights_checksum,"
    " trace_checksum"
)


def tiny_suite(dims, seeds):
    """The text of a suite, a cell for each dimension."""
    return f"""
name = "tiny"
summary = "small networks"
source = "none"

[tasks.noisy-lms-5]
n_train = 1000
batch = 256
method = {{ name = "sgd", learning_rate = 0.1 }}
stop = {{ max_updates = 200 }}

[presets.only]
summary = "one size"
seeds = {seeds}
n_certify = 2000

[[presets.only.cells]]
task = {{ name = "noisy-lms-5", dim = {dims} }}
network = {{ name = "mlp", width = 8 }}
"""


def rows(store):
    """What whoever computes them leaves the same."""
    return store.query(f"SELECT {SAME} FROM networks ORDER BY seed")[1]
