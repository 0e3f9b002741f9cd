"""The rules at their edges, and against a plain reading of them, one curve at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.curves import flatness, hinge, rules
from scalecurve.curves.rules import SHAPES, Setting


def setting(points, se=0.01, chance=0.25, ceiling=1.0, band=2.0, **more):
    errors = np.broadcast_to(np.asarray(se, float), points).copy()
    return Setting(np.arange(points, dtype=float), errors, chance, ceiling, band, **more)


def rows(*y):
    return np.array(y, float)


# ── One rule at a time ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("y", "se", "more", "rises", "falls"),
    [
        ([0.25, 0.30], 0.001, {}, 1, 0),  # .05 exactly
        ([0.25, 0.2999], 0.001, {}, 0, 0),
        ([0.30, 0.25], 0.001, {}, 0, 1),
        ([0.25, 0.336], 0.02, {}, 1, 0),  # three standard errors of a difference: .0849
        ([0.25, 0.334], 0.02, {}, 0, 0),
        ([0.25, 0.40], [0.03, 0.04], {}, 1, 0),  # exactly
        ([0.25, 0.39], [0.03, 0.04], {}, 0, 0),
        ([0.25, 0.336], 0.02, {"inflate": 1.02}, 0, 0),
        ([0.25, 0.26], 0.001, {"delta": 0.0}, 1, 0),
        ([0.3, 0.3, 0.5, 0.1], 0.001, {}, 2, 3),
    ],
)
def test_changes_that_count(y, se, more, rises, falls):
    up, down = rules.significant_pairs(rows(y), setting(len(y), se, **more))
    assert (up.sum(), down.sum()) == (rises, falls)
    assert not np.tril(up[0]).any()


def test_which_pairs_change():
    up, down = rules.significant_pairs(rows([0.3, 0.5, 0.1]), setting(3))
    assert np.argwhere(up[0]).tolist() == [[0, 1]]
    assert np.argwhere(down[0]).tolist() == [[0, 2], [1, 2]]


@pytest.mark.parametrize(
    ("y", "ceiling", "saturated"),
    [
        ([0.5, 0.5, 0.95, 0.95, 0.95], 1.0, True),
        ([0.5, 0.5, 0.5, 0.95, 0.95], 1.0, False),
        ([0.5, 0.5, 0.95, 0.95, 0.949], 1.0, False),
        ([0.5, 0.5, 0.5, 0.95, 0.95, 0.95], 1.0, False),
        ([0.5, 0.5, 0.95, 0.95, 0.95, 0.95], 1.0, True),
        ([0.5, 0.5, 0.65, 0.6, 0.6], 0.6, True),  # above the ceiling too
        ([1.0] * 5, None, False),
    ],
)
def test_saturation(y, ceiling, saturated):
    assert rules.is_saturated(rows(y), setting(len(y), ceiling=ceiling)).tolist() == [saturated]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(20, 40), min_size=4, max_size=8), st.sampled_from([0.05, 0.01]), st.sampled_from([1, 1.4]))
def test_flat_is_what_noise_explains_or_is_too_small(counts, level, inflate):
    y, se = np.array(counts) / 100, np.linspace(0.02, 0.05, len(counts))
    flat = rules.is_flat(y[None], setting(len(y), se, flat_level=level, inflate=inflate))
    assert flat.tolist() == [flatness(y, se * inflate)[1] >= level or max(counts) - min(counts) < 5]


@pytest.mark.parametrize(
    ("y", "chance", "margin", "near"),
    [
        ([0.23, 0.27, 0.2299, 0.2701], 0.25, 0.0, [True, True, False, False]),
        ([0.30, 0.20, 0.3001], 0.25, 0.05, [True, True, False]),
        ([0.0, 0.005, -0.1], 0.0, 0.0, [True, False, True]),
        ([0.0, 0.02, 0.0201], 0.0, 0.02, [True, True, False]),
        ([0.25, 0.25], None, 0.5, [False, False]),
    ],
)
def test_the_band_about_chance(y, chance, margin, near):
    assert rules.at_chance(rows(y), setting(len(y), chance=chance), margin).tolist() == [near]


def test_the_floor_ends_at_the_first_point_off_chance():
    y = rows([0.25, 0.27, 0.4, 0.25], [0.4, 0.25, 0.25, 0.25], [0.25] * 4, [0.25, 0.275, 0.25, 0.25])
    assert rules.floor_length(y, setting(4, 0.001)).tolist() == [2, 0, 4, 1]
    assert rules.floor_length(y, setting(4, 0.02)).tolist() == [2, 0, 4, 4]
    assert rules.floor_length(y, setting(4, 0.01, inflate=2.0)).tolist() == [2, 0, 4, 4]


@pytest.mark.parametrize(
    ("y", "se", "leaves"),
    [
        ([0.25, 0.25, 0.35], 0.01, True),
        ([0.25, 0.25, 0.3499], 0.01, False),
        ([0.25, 0.25, 0.371], 0.04, True),
        ([0.25, 0.25, 0.369], 0.04, False),
        ([0.25, 0.35, 0.35], 0.01, False),  # one point on the floor
        ([0.25, 0.25, 0.25], 0.01, False),
        ([0.25, 0.25, 0.45], [0.01, 0.01, 0.2], False),
        ([0.25, 0.25, 0.45], [0.2, 0.2, 0.01], True),
        ([0.25, 0.25, 0.05], 0.01, False),
    ],
)
def test_leaving_chance(y, se, leaves):
    assert rules.leaves_chance(rows(y), setting(3, se)).tolist() == [leaves]
    assert rules.leaves_chance(rows(y), setting(3, se, chance=None)).tolist() == [False]


@pytest.mark.parametrize(
    ("y", "emergent"),
    [
        ([0.25, 0.25, 0.25, 0.6, 0.7], True),
        ([0.25, 0.25, 0.6, 0.7], False),  # one floor point less is none
        ([0.25, 0.25, 0.25, 0.7], False),  # it rests on the last
        ([0.25, 0.25, 0.25, 0.34, 0.7], False),
        ([0.25, 0.25, 0.25, 0.55, 0.76, 1.0], True),  # .30 of .75: two fifths in one interval
    ],
)
def test_emergence_survives_the_loss_of_any_point(y, emergent):
    assert rules.is_emergent(rows(y), setting(len(y))).tolist() == [emergent]
    assert not rules.is_emergent(rows(y), setting(len(y), chance=None)).any()


def test_without_a_jump_it_takes_a_bend():
    steps = rows([0.25, 0.25, 0.25, 0.50, 0.75, 1.0])  # a third of the range in each interval
    for se, bends in ((0.01, True), (0.15, False)):
        own = setting(6, se)
        assert rules.bends(steps, own).tolist() == [bends]
        assert rules.is_emergent(steps, own).tolist() == [bends]
    jump = rows([0.25, 0.25, 0.25, 0.56, 0.80, 1.0])
    assert rules.is_emergent(jump, setting(6, 0.15)).tolist() == [True]  # .31 of .75


def test_nothing_bends_without_three_places():
    assert not rules.bends(rows([0.2, 0.9]), setting(2)).any()
    assert rules.bends(np.zeros((0, 4)), setting(4)).shape == (0,)


# ── All rules together ───────────────────────────────────────────────────────────────────────────────────────
def plain(y, own, drop=True):
    """(shape, outlier, edge) by the rules as docs/curves.md gives them."""
    s, last = own.errors, len(y) - 1
    pairs = [(i, j) for j in range(len(y)) for i in range(j)]
    needed = {(i, j): max(own.delta, 3 * (s[i] ** 2 + s[j] ** 2) ** 0.5) - 1e-9 for i, j in pairs}
    rises = {p for p in pairs if y[p[1]] - y[p[0]] >= needed[p]}
    falls = {p for p in pairs if y[p[0]] - y[p[1]] >= needed[p]}
    if own.ceiling is not None and sum(abs(own.ceiling - v) <= 0.05 + 1e-9 for v in y) >= len(y) // 2 + 1:
        return "saturated", -1, False
    noise = flatness(y, s)[1] >= own.flat_level or max(y) - min(y) < own.delta - 1e-9
    if noise or not rises | falls:
        return "flat", -1, False
    if not rises:
        return "inverse", -1, False
    if not falls:
        return ("emergent" if rules.is_emergent(np.array([y]), own)[0] else "smooth"), -1, False
    edge = False
    if drop and len(y) >= 4:
        alone = [
            k for k in range(len(y)) if not [p for p in rises if k not in p] or not [p for p in falls if k not in p]
        ]
        inner = [k for k in alone if 0 < k < last]
        if inner:
            odd = max(inner, key=lambda k: abs(y[k] - (y[k - 1] + y[k + 1]) / 2) / s[k])
            shape, _, _ = plain([v for k, v in enumerate(y) if k != odd], own.without(odd), drop=False)
            return shape, odd, False
        edge = bool(alone)
    low, high = y.index(min(y)), y.index(max(y))
    if 0 < low < last and any(j == low for _, j in falls) and (low, last) in rises:
        return "U", -1, edge
    if 0 < high < last and any(j == high for _, j in rises) and (high, last) in falls:
        return "inverted-U", -1, edge
    return "irregular", -1, edge


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(0, 10), min_size=4, max_size=8),
    st.sampled_from([0.004, 0.02, 0.04]),
    st.sampled_from([(0.2, 1.0), (0.0, 0.8), (None, None)]),
    st.booleans(),
)
def test_shapes_are_those_of_the_rules_read_plainly(tenths, se, bounds, uneven):
    y = [t / 10 for t in tenths]
    errors = se * (1 + np.arange(len(y)) % 3 / 4) if uneven else se
    own = setting(len(y), errors, *bounds, delta=0.05 if bounds[0] is not None else 0.0)
    found = rules.classify(np.array([y, y[::-1]]), own)
    for row, values in enumerate((y, y[::-1])):
        expected = plain(values, own)
        assert (SHAPES[found.code[row]], found.outlier[row], found.edge[row]) == expected


# ── Hinges ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_gain_of_a_hinge_is_the_fall_of_its_chi_square():
    rng = np.random.default_rng(0)
    x, se = np.array([0.0, 0.7, 1.0, 2.5, 3.0, 4.0]), np.array([0.1, 0.2, 0.1, 0.05, 0.1, 0.3])
    y = rng.normal(0, 0.5, (40, 6)) + np.maximum(x - 1.5, 0) * rng.normal(0.5, 1, (40, 1))
    fit = hinge.design(x, se)
    assert (fit.taus[0], len(fit.taus)) == (0.7, 48)
    assert fit.taus[-1] == pytest.approx(0.7 + 3.3 * 47 / 48)

    def chi2(row, basis):
        design = np.column_stack([np.ones(6), basis]) / se[:, None]
        beta = np.linalg.lstsq(design, row / se, rcond=None)[0]
        return ((row / se - design @ beta) ** 2).sum(), beta[1]

    gains, taus = hinge.statistic(y, fit)
    for row, gain, tau in zip(y, gains, taus, strict=True):
        rising = [value for value, slope in (chi2(row, np.maximum(x - t, 0)) for t in fit.taus) if slope > 0]
        if rising:
            assert gain == pytest.approx(chi2(row, x)[0] - min(rising))
            assert chi2(row, np.maximum(x - tau, 0))[0] == pytest.approx(min(rising))
        else:
            assert gain == -np.inf


@pytest.mark.parametrize(("x", "there"), [([0, 1, 2], True), ([0, 1], False), ([0, 1, 1], False), ([0, 0, 1], True)])
def test_a_hinge_needs_room_after_its_second_point(x, there):
    assert (hinge.design(np.array(x, float), np.full(len(x), 0.1)) is not None) is there


def test_a_line_passes_for_a_hinge_in_one_case_of_twenty():
    rng = np.random.default_rng(1)
    x, se = np.arange(8.0), np.full(8, 0.1)
    fit = hinge.design(x, se)
    y = 0.2 * x + rng.normal(0, 0.1, (600, 8))
    beyond = [hinge.statistic(row[None], fit)[0][0] > hinge.critical_gain(row, fit) for row in y]
    assert 0.025 <= np.mean(beyond) <= 0.08
    assert hinge.critical_gain(y[0] + 5.0, fit) == pytest.approx(hinge.critical_gain(y[0], fit))  # the slope matters
    assert hinge.critical_gain(y[0], fit, 1) != hinge.critical_gain(y[0], fit, 2)
    before = hinge.critical_gain(y[0], fit, 1)
    hinge._noise.cache_clear()
    assert hinge.critical_gain(y[0], fit, 1) == before >= 0


def test_the_onset_is_the_mean_beginning_of_all_ramps_by_likelihood():
    x, se = np.array([0.0, 1.0, 2.0, 3.0, 5.0]), np.array([0.1, 0.2, 0.1, 0.1, 0.15])
    y = rows([0, 0, 0.2, 0.5, 0.6], [0.1, 0, 0.1, 0.9, 1.0])
    grid = 1 + 4 * np.arange(33) / 32
    for row, found in zip(y, hinge.onset(y, x, se), strict=True):
        begins, weights = [], []
        for i, begin in enumerate(grid):
            for end in grid[i + 1 :]:
                ramp = np.clip((x - begin) / (end - begin), 0, 1)
                design = np.column_stack([np.ones(5), ramp]) / se[:, None]
                beta = np.linalg.lstsq(design, row / se, rcond=None)[0]
                mean = (row / se**2).sum() / (1 / se**2).sum()
                left = ((row - mean) ** 2 / se**2).sum() if beta[1] < 0 else ((row / se - design @ beta) ** 2).sum()
                begins.append(begin)
                weights.append(np.exp(-left / 2))
        assert found == pytest.approx(np.average(begins, weights=weights))


def test_a_sudden_step_begins_between_its_points():
    step = rows([0, 0, 0, 0, 1, 1, 1, 1])
    assert hinge.onset(step, np.arange(8.0), np.full(8, 0.001)) == pytest.approx(3.5, abs=0.25)
