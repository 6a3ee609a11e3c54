"""Tasks of more classes: Gaussians with a known risk, digits, MNIST's files, dominoes."""

import jax
import numpy as np
import pytest
from idx_files import write_idx
from scipy.special import ndtr

import simbias
from simbias import tasks
from simbias.tasks import DominoesTask, LabelNoise, MixtureTask, images
from simbias.tasks.mixture import mean_classifier_accuracy, nearest_mean_risk
from simbias.training import Cell

ROWS = 20_000


@pytest.fixture(scope="module")
def mixture():
    """Ten Gaussians that overlap, and points of one data set."""
    task = MixtureTask(dim=12, distance=3.0)
    law = task.law(jax.random.key(1))
    return task, law, task.draw(law, jax.random.key(2), "certify", ROWS)


@pytest.mark.thorough
def test_means_are_at_one_distance_from_each_other_and_their_mean_is_0(mixture):
    task, law, _ = mixture
    means = np.asarray(law.means, np.float64)
    distance = np.linalg.norm(means[:, None] - means[None], axis=2)
    assert distance[~np.eye(10, dtype=bool)] == pytest.approx(3.0, abs=1e-5)
    assert means.mean(axis=0) == pytest.approx(0, abs=1e-6)


def test_the_nearest_mean_errs_as_often_as_its_risk_says(mixture):
    task, law, points = mixture
    x = np.asarray(points.x, np.float64)
    nearest = ((x[:, None] - np.asarray(law.means)[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == np.asarray(points.achievable)).mean() > 0.9999
    risk = task.truth.achievable_risk
    wrong = (nearest != np.asarray(points.y)).mean()
    assert wrong == pytest.approx(risk, abs=4 * np.sqrt(risk * (1 - risk) / ROWS))


def test_the_risk_of_the_nearest_mean_is_the_closed_form_or_the_integral():
    assert nearest_mean_risk(2, 3.0) == pytest.approx(ndtr(-1.5))
    t = np.linspace(-12, 20, 400_001)
    for classes, distance in ((3, 3.0), (10, 6.0), (100, 2.0)):
        own = distance / np.sqrt(2)
        right = np.exp(-((t - own) ** 2) / 2) / np.sqrt(2 * np.pi) * ndtr(t) ** (classes - 1)
        assert nearest_mean_risk(classes, distance) == pytest.approx(
            1 - np.trapezoid(right, t), abs=1e-9
        )
    assert nearest_mean_risk(10, 1e-6) == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize(("points", "margin"), [(8, 1.0), (60, 0.2), (9, 0.5)])
def test_the_mean_classifier_is_as_accurate_as_the_integral_over_its_law(points, margin):
    generator, trials, dim = np.random.default_rng(points), 2000, 50
    y = generator.choice([-1.0, 1.0], (trials, points))
    labels = y * np.where(generator.random(y.shape) < (1 - margin) / 2, -1, 1)
    noise = generator.normal(size=(trials, points, dim)).astype(np.float32)
    weight = np.einsum("tn,tnd->td", labels, noise) / points
    weight[:, 0] += 1.5 * (labels * y).mean(axis=1)
    accuracy = ndtr(1.5 * weight[:, 0] / np.linalg.norm(weight, axis=1))
    error = accuracy.std() / np.sqrt(trials)
    exact = mean_classifier_accuracy(3.0, dim, points, margin)
    assert accuracy.mean() == pytest.approx(exact, abs=3 * error)


def test_the_asymptotic_accuracy_of_the_mean_classifier_is_another_number():
    asymptotic = ndtr(1.5 / np.sqrt(1 + 50 / (8 * 1.5**2)))
    assert asymptotic == pytest.approx(0.7799, abs=5e-5)
    assert mean_classifier_accuracy(3.0, 50, 8, 1.0) == pytest.approx(0.7773, abs=5e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": 1}, "classes: got 1"),
        ({"dim": 9}, "dim: got 9, allowed: at least the number of classes, 10"),
        ({"distance": 0}, "distance: got 0"),
    ],
)
def test_gaussians_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        tasks.get("mixture", **settings)


def test_a_cell_of_many_classes_takes_noise_and_is_made_again():
    noise = LabelNoise(alpha=2, concentration=0.5, target=[1, 0, *range(2, 10)])
    net, method = simbias.MLP(8), simbias.sgd()
    cell = Cell(tasks.get("mixture", dim=12), net, method, n_train=500, label_noise=noise)
    assert simbias.training.cell_from_settings(cell.settings) == cell


# -- digits ------------------------------------------------------------------------------------


def test_the_digits_of_scikit_learn_are_identified_by_their_points():
    task = pytest.importorskip("sklearn") and tasks.get("digits")
    assert task.shape == (8, 8) and task.classes == 10 and task.x.max() == 1
    assert sum(task.most.values()) == 1797
    assert tasks.identifying(task) == {"name": "digits", "points": task.settings["points"]}
    with pytest.raises(ValueError, match="^points: got 'other', allowed: bacc354d444de3d7"):
        tasks.get("digits", points="other")


def arrays(generator, count=120):
    return generator.integers(0, 256, (count, 28, 28)).astype("uint8"), np.arange(count) % 10


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with MNIST's names, as an .npz file and as IDX files, of 240 images of noise."""
    generator = np.random.default_rng(0)
    parts = {"train": arrays(generator), "t10k": arrays(generator)}
    npz, raw = tmp_path_factory.mktemp("npz"), tmp_path_factory.mktemp("idx")
    (x_train, y_train), (x_test, y_test) = parts.values()
    np.savez(npz / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    write_idx(raw, parts)
    return npz, raw


def test_mnist_is_the_same_from_either_kind_of_files_wherever_they_lie(files, monkeypatch):
    first, second = (tasks.get("mnist", folder=str(folder)) for folder in files)
    assert first == second and first.shape == (28, 28) and len(first.x) == 240
    identity = tasks.identity(first)
    assert first.settings["points"] in identity and str(files[0]) not in identity
    again = tasks.get("mnist", **first.settings)  # without a folder: it was read before
    assert again == first
    monkeypatch.setattr(images, "_loaded", {})
    monkeypatch.setenv(images.FOLDER, str(files[1]))
    assert tasks.get("mnist", **first.settings) == first and tasks.identity(first) == identity


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: None, "allowed: one with mnist.npz or MNIST's four IDX files"),
        (
            lambda folder: (folder / "mnist.npz").write_bytes(b"no"),
            "allowed: mnist.npz with x_train",
        ),
        (lambda folder: written(folder, (20, 8, 8)), "allowed: .points, 28, 28."),
        (lambda folder: written(folder, (20, 28, 28), label=1), "every label from 0 to 9"),
    ],
)
def test_files_that_are_not_mnist_are_refused_in_one_line(tmp_path, damage, words):
    damage(tmp_path)
    with pytest.raises(ValueError, match=f"^folder: got .*{words}") as error:
        tasks.get("mnist", folder=str(tmp_path))
    assert "\n" not in str(error.value)


def written(folder, shape, label=None):
    y = np.arange(shape[0]) % 10 if label is None else np.full(shape[0], label)
    x = np.zeros(shape, "uint8")
    np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)


def test_an_idx_file_that_is_cut_short_is_refused(files, tmp_path):
    for file in files[1].iterdir():
        content = file.read_bytes()
        cut = content[:-5] if "labels" in file.name else content
        (tmp_path / file.name).write_bytes(cut)
    with pytest.raises(ValueError, match="train-labels.*allowed: an IDX file of bytes, as long as"):
        tasks.get("mnist", folder=str(tmp_path))


def test_without_a_folder_the_place_to_name_it_is_said(monkeypatch):
    monkeypatch.delenv(images.FOLDER, raising=False)
    with pytest.raises(ValueError, match="^folder: got None, allowed: .*SIMBIAS_DATA"):
        tasks.get("mnist")


# -- dominoes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dominoes():
    pytest.importorskip("sklearn")
    task = DominoesTask(noise=0.4)
    law = task.law(jax.random.key(0))
    return task, law, jax.device_get(task.draw(law, jax.random.key(1), "train", 4000))


@pytest.mark.thorough
def test_halves_are_images_of_the_split_and_of_their_classes(dominoes):
    task, _, points = dominoes
    source = tasks.get("digits")
    own = source.splits["train"]
    of_image = {source.x[row].tobytes(): int(source.y[row]) for row in own}
    upper = np.array([of_image[half.tobytes()] for half in points.x[:, :8]])
    lower = np.array([of_image[half.tobytes()] for half in points.x[:, 8:]])
    assert (lower == np.where(points.y == 1, 9, 8)).all()
    assert ((upper == 1) == (points.y == 1)).tolist() == (~points.exception).tolist()
    assert len({half.tobytes() for half in points.x[:, 8:]}) == np.isin(source.y[own], (8, 9)).sum()


def test_the_upper_half_misleads_half_as_often_as_it_is_noise(dominoes):
    task, _, points = dominoes
    assert task.truth.simple_risk == 0.2
    assert points.exception.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 4000))


def test_dominoes_are_made_again_from_their_settings_and_bad_ones_refused():
    pytest.importorskip("sklearn")
    task = tasks.get("dominoes", hard=[3, 5])
    assert tasks.get("dominoes", **task.settings) == task
    assert tasks.identifying(task).keys() == {"name", "hard", "points"}
    for settings, words in (
        ({"simple": [1, 1]}, "simple: got .*two different digits"),
        ({"hard": [1, 12]}, "hard: got 12"),
        ({"source": "cifar"}, "source: unknown name 'cifar'"),
        ({"noise": 2}, "noise: got 2"),
    ):
        with pytest.raises(ValueError, match=f"^{words}"):
            tasks.get("dominoes", **settings)
