"""Regions of classes: what is drawn of tasks that are not made of independent coordinates."""

import csv

import jax
import numpy as np
import pytest
from displays import regions
from matplotlib.colors import to_hex
from own_tasks import Rings

import simbias
from simbias import plots
from simbias.models import member, panel
from simbias.plots import BoundaryDisplay, RegionsDisplay
from simbias.plots import _figure as style
from simbias.tasks import ArrayTask, XorTask

SMALL = {"resolution": 41}
WAYS = {  # what is drawn, and how many contexts there are
    "exclusive": ({}, 64),
    "rings": ({}, 0),
    "pictures": ({"horizontal": 27, "coordinate": 9}, 60),
}


@pytest.fixture(scope="module")
def drawn(request):
    """Displays of trained networks by the name of their fixture, made once."""
    by_name = {}

    def of(name):
        if name not in by_name:
            stack = request.getfixturevalue(name)
            by_name[name] = stack, plots.boundary(stack, **WAYS[name][0], **SMALL)
        return by_name[name]

    return of


def contexts(stack, most):
    """Fresh inputs of the first network's data set, drawn by hand."""
    data, task = panel(stack).data[0], stack.cell.task
    if most == 0:
        return np.zeros((1, 2))  # the plane is the whole space
    if isinstance(task, ArrayTask):
        return task.x[np.asarray(task.law(jax.random.key(0)).rows["select"])[:most]]
    law = jax.tree.map(jax.numpy.asarray, data.law)
    return np.asarray(task.draw(law, data.stream("context"), "select", most).x)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.thorough
def test_proportions_are_those_of_asking_the_network_at_each_context(name, drawn):
    stack, display = drawn(name)
    assert type(display) is RegionsDisplay and display.contexts == WAYS[name][1]
    assert display.proportion.shape == (stack.cell.task.classes, 41, 41)
    np.testing.assert_allclose(display.proportion.sum(axis=0), 1)
    turn = stack.rotation[0]
    plain = contexts(stack, display.contexts).astype(np.float64)
    shape = plain.shape
    plain = plain.reshape(len(plain), -1)
    plain = plain @ turn.T if len(turn) else plain
    network, off = member(stack, 0), []
    for row, column in np.random.default_rng(0).integers(0, 41, (60, 2)):
        plain[:, display.coordinates[0]] = display.across[column]
        plain[:, display.coordinates[1]] = display.up[row]
        x = (plain @ turn if len(turn) else plain).reshape(shape).astype(np.float32)
        answers = network.scores(x).argmax(axis=1)
        proportion = [np.mean(answers == label) for label in range(stack.cell.task.classes)]
        off.append(np.abs(display.proportion[:, row, column] - proportion).max())
    # a context whose score is on the boundary may fall to either side
    assert max(off) <= 1 / len(plain) + 1e-9 and np.mean(np.array(off) < 1e-9) >= 0.9


@pytest.mark.parametrize("name", WAYS)
def test_points_are_the_training_set_and_hollow_where_another_class_is_said(name, drawn):
    stack, display = drawn(name)
    data, network = panel(stack).data[0], member(stack, 0)
    np.testing.assert_array_equal(display.points.label, data.y)
    answers = network.scores(data.x).argmax(axis=1)
    np.testing.assert_array_equal(display.points.fitted, answers == data.y)
    turn = data.rotation if len(data.rotation) else np.eye(display.points.position.shape[1])
    inputs = data.x.reshape(len(data.x), -1)
    np.testing.assert_allclose(display.points.position @ turn, inputs, atol=1e-5)
    assert display.finding.startswith(
        f"fits {np.floor(1000 * np.mean(answers == data.y)) / 10:g}% of"
    )
    for axis, coordinate in zip((display.across, display.up), display.coordinates, strict=True):
        seen = display.points.position[:, coordinate]
        assert axis[0] < seen.min() and seen.max() < axis[-1]
        assert axis[-1] - axis[0] == pytest.approx(1.1 * np.ptp(seen))
    (ax,) = [display.plot().ax_]
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in marks) == 300
    filled = {line.get_markerfacecolor() for line in marks if len(line.get_xdata())} - {"white"}
    assert filled == set(style.CLASSES[: stack.cell.task.classes])


def test_rings_have_an_outline_in_each_gap(drawn):
    _, display = drawn("rings")
    assert {label: len(lines) for label, lines in display.learned.items()} == {0: 1, 1: 2, 2: 1}
    radii = {
        label: sorted(np.hypot(*line.T).mean() for line in lines)
        for label, lines in display.learned.items()
    }
    assert 1.2 < radii[0][0] < 2 and 2.2 < radii[2][0] < 3
    assert radii[1] == pytest.approx([radii[0][0], radii[2][0]], rel=0.01)
    middle = [display.label[np.abs(display.up).argmin(), column] for column in (4, 10, 20)]
    assert middle == [2, 1, 0] and display.agreement is None
    shades = display.plot().ax_.collections[0].get_array()
    tint = [to_hex(shade) for shade in shades[20, [4, 10, 20]]]
    assert tint == ["#8cd3c0", "#ecb78c", "#8cc0dc"]  # .45 of green, vermillion and blue
    assert len(display.figure_.axes) == 1  # without contexts there is nothing to be pale about


def test_the_rule_of_exclusive_or_is_compared_with_where_it_can_be_drawn(drawn, exclusive):
    _, display = drawn("exclusive")
    rule = (display.across[None, :] > 0) ^ (display.up[:, None] > 0)
    np.testing.assert_array_equal(display.achievable, rule)
    by_hand = np.where(rule, display.proportion[1], display.proportion[0]).mean()
    assert display.agreement == pytest.approx(by_hand) and 0.8 < by_hand < 1
    (legend,) = display.plot().figure_.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert f"achievable rule (agreement {by_hand:.0%})" in texts
    other = plots.boundary(exclusive, coordinate=2, contexts=8, **SMALL)
    assert other.achievable is None and other.agreement is None
    assert set(other.tables()["lines"]["boundary"]) <= {"learned"}


def test_the_rule_itself_agrees_with_itself_and_turns_where_slabs_meet():
    task = XorTask(dim=4, slabs=4, margin=0.1)
    data = simbias.data(task, n_train=200, seed=3)
    display = plots.boundary(lambda x: task.achievable_rule(x @ data.rotation.T), data, **SMALL)
    assert display.agreement > 0.99 and display.noun == "classifier"
    assert list(display.learned) == [1]  # the outline of either class is that of both
    vertices = np.concatenate(display.learned[1])
    cell = display.across[1] - display.across[0]
    assert np.abs(vertices[:, :, None] - [-0.5, 0, 0.5]).min(axis=(1, 2)).max() <= cell
    np.testing.assert_array_equal(display.lead, np.abs(2 * display.proportion[1] - 1))


def test_where_other_coordinates_decide_there_is_no_line_and_nothing_is_numbered(drawn):
    _, display = drawn("pictures")
    assert not display.learned and display.mixed == 1 and display.lead.max() < 0.5
    assert display.finding.endswith("the other coordinates decide on 100% of this plane")
    ax = display.plot().ax_
    assert not ax.texts
    assert ax.get_xlabel() == "coordinate $x_{3,3}$ (input units)"
    assert ax.get_ylabel() == "coordinate $x_{1,1}$ (input units)"


def test_regions_are_numbered_where_they_are_widest(drawn):
    _, display = drawn("rings")
    ax = display.plot().ax_
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert list(places) == ["0", "1", "2"]
    for label, (x, y) in places.items():
        row, column = np.abs(display.up - y).argmin(), np.abs(display.across - x).argmin()
        assert display.label[row, column] == int(label)


def test_a_coordinate_that_never_varies_has_a_plane_all_the_same():
    x = np.random.default_rng(0).normal(size=(100, 2, 2))
    x[:, 0, 0] = 3
    task = ArrayTask("still", x, np.arange(100) % 2)
    data = simbias.data(task, n_train=60)
    display = plots.boundary(lambda x: x[:, 0, 1] > 0, data, contexts=8, **SMALL)
    assert (display.across[0], display.across[-1]) == (2, 4)
    (line,) = display.learned[1]
    assert np.abs(line[:, 1]).max() <= display.up[1] - display.up[0]


def test_classes_beyond_the_tenth_share_a_colour_and_a_line_of_the_legend():
    twelve = ArrayTask("twelve", np.zeros((120, 2)), np.arange(120) % 12)
    data = simbias.data(twelve, n_train=72)
    display = plots.boundary(lambda x: (x[:, 0] > 0) * 11, data, **SMALL).plot()
    (legend,) = display.figure_.legends
    texts = [text.get_text() for text in legend.get_texts() if text.get_text()]
    counts = np.bincount(data.y, minlength=12)
    assert texts[-1] == f"classes 9 to 11 ({counts[9:].sum()} points)"
    assert texts[-10:-1] == [f"class {label} ({counts[label]} points)" for label in range(9)]
    assert sorted(display.learned) == [0, 11]


def test_the_legend_of_regions_has_the_colours_of_the_classes():
    display = regions().plot()
    (legend,) = display.figure_.legends
    entries = dict(
        zip([t.get_text() for t in legend.get_texts()], legend.legend_handles, strict=True)
    )
    assert list(entries) == [
        "learned boundary",
        "achievable rule (agreement 86%)",  # the mean of .9, .89, ... .81
        "fitted (2 of 2 shown)",
        "not fitted (1 of 1 shown)",
        *(f"class {k} ({int(k in (0, 1, 9))} points)" for k in range(10)),
    ]
    for label, colour in enumerate(style.CLASSES):
        shade = entries[f"class {label} ({int(label in (0, 1, 9))} points)"].get_facecolor()[:3]
        full = np.array(plots.regions.to_rgb(colour))
        np.testing.assert_allclose(shade, 1 - 0.45 * (1 - full), atol=1 / 255)
    bar = display.figure_.axes[1]
    assert bar.get_ylabel() == "lead over the next class (of 64 contexts)"


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
@pytest.mark.thorough
def test_two_saves_of_regions_give_the_same_bytes(suffix, tmp_path, rings):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    first, second = (
        plots.boundary(rings, seed=1, **SMALL).save(tmp_path / folder / f"regions{suffix}")
        for folder in ("one", "two")
    )
    names = [f"regions{suffix}", *(f"regions-{t}.csv" for t in ("proportion", "lines", "points"))]
    assert [path.name for path in first] == names
    for first_path, other in zip(first, second, strict=True):
        assert first_path.read_bytes() == other.read_bytes()
    with first[1].open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["x", "y", "said", "proportion_0", "proportion_1", "proportion_2"]
    assert all(row[f"proportion_{row['said']}"] == "1" for row in rows)


def test_tasks_of_blocks_keep_their_own_figure():
    task = simbias.tasks.get("lms-5", dim=2)
    data = simbias.data(task, n_train=50)
    display = plots.boundary(lambda x: x[:, 0] > 0, data, resolution=20)
    assert type(display) is BoundaryDisplay


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"coordinate": 3}, "coordinates"),
        ({"coordinate": 0}, "coordinates"),
        ({"horizontal": -1}, "coordinates"),
        ({"contexts": 7}, "contexts"),
        ({"resolution": 1}, "resolution"),
        ({"resolution": 10**7}, "resolution"),
        ({"shown": -1}, "shown"),
        ({"seed": 5}, "seed"),
    ],
)
def test_bad_options_of_regions_are_named(options, argument, exclusive):
    with pytest.raises(ValueError, match=f"^{argument}: got .*, allowed: "):
        plots.boundary(exclusive, **options)


@pytest.mark.parametrize("answer", (lambda x: np.full(len(x), 3), lambda x: np.zeros((len(x), 2))))
def test_a_classifier_of_other_classes_is_refused(answer):
    data = simbias.data(Rings(), n_train=20)
    with pytest.raises(ValueError, match="^classifier: got "):
        RegionsDisplay.from_classifier(answer, data, **SMALL)


def test_islands_say_in_one_line_that_they_need_coordinates(exclusive):
    with pytest.raises(ValueError, match="^task: got 'xor', allowed: a task made of independent"):
        plots.islands(exclusive)
