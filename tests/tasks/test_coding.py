"""Codings of depth and of normals: what they lose, and that they cover everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from scipy.spatial import ConvexHull
from sklearn.cluster import KMeans
from torch.nn import functional as F

from nas_ctx.errors import InputError
from nas_ctx.tasks import Normals, make_tasks
from nas_ctx.tasks.coding import (
    DepthBins,
    TriangularCode,
    fibonacci_sphere,
    learn_codebook,
    load_codebook,
    save_codebook,
)


def directions(count: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)), dim=1)


def visible(count: int, seed: int = 0) -> torch.Tensor:
    """Normals as a camera sees them: towards it, bunched around three walls."""
    generator = torch.Generator().manual_seed(seed)
    walls = F.normalize(torch.tensor([[0.0, 0.1, -1.0], [0.9, 0.1, -0.4], [-0.1, 0.9, -0.4]]), dim=1)
    normals = F.normalize(walls[torch.arange(count) % 3] + 0.25 * torch.randn(count, 3, generator=generator), dim=1)
    return normals[normals[:, 2] < -0.05]


def as_map(rows: torch.Tensor) -> torch.Tensor:
    return rows.T.reshape(1, -1, 1, len(rows))


def degrees(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1)))


# Depth


def test_depth_round_trip_stays_within_half_a_bin():
    bins = DepthBins(40, 0.7, 10.0)
    depth = torch.linspace(0.7, 10.0, 5000, dtype=torch.float64)
    back = bins.decode(as_map(F.one_hot(bins.encode(depth), 40).double())).flatten()
    error = (back / depth - 1).abs().max().item()
    assert error <= math.exp(math.log(10 / 0.7) / 80) - 1 + 1e-6  # 3.4 %
    assert error > 0.03  # and the bound is not a loose one


def test_sum_over_bins_is_taken_in_log_space():
    bins = DepthBins(40, 0.7, 10.0)
    probability = torch.rand(40, generator=torch.Generator().manual_seed(0)).softmax(0)
    centres = [0.7 * (10 / 0.7) ** ((k + 0.5) / 40) for k in range(40)]
    expected = math.prod(centre**p for centre, p in zip(centres, probability.tolist(), strict=True))
    assert bins.decode(probability.view(1, 40, 1, 1)).item() == pytest.approx(expected, rel=1e-5)


# Normals


def test_default_codebook_is_spread_evenly():
    codewords = fibonacci_sphere(40)
    cosine = codewords @ codewords.T - 2 * torch.eye(40)
    nearest_neighbour = torch.rad2deg(torch.arccos(cosine.amax(1)))
    assert nearest_neighbour.min() > 24  # 40 circles on a sphere cannot all be further apart than 33 degrees
    to_nearest = torch.rad2deg(torch.arccos((directions(20000) @ codewords.T).amax(1)))
    assert to_nearest.max() < 26


def test_any_direction_survives_the_round_trip():
    codewords = fibonacci_sphere(40)
    code = TriangularCode(codewords)
    vectors = torch.cat([directions(20000), torch.eye(3), -torch.eye(3), codewords, -codewords])
    corners, weights = code.encode(vectors)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(len(vectors)))
    straight = F.normalize((weights.unsqueeze(-1) * codewords[corners]).sum(1), dim=1)
    assert degrees(straight, vectors).max() < 0.01
    full = torch.zeros(len(vectors), 40).scatter_add_(1, corners, weights)
    decoded = code.decode(as_map(full)).reshape(3, -1).T
    assert degrees(decoded, vectors).max() < 0.01


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 60), st.booleans())
def test_a_codebook_of_any_part_of_the_sphere_partitions_it(seed, count, one_half):
    """By non-negative least squares: what the codewords span comes back, other directions are the nearest codeword."""
    codewords = directions(count, seed)
    if one_half:
        codewords = F.normalize(codewords * torch.tensor([1, 1, 0.5]) + torch.tensor([0, 0, 0.7]), dim=1)
        codewords = torch.where(codewords[:, 2:] > 0, codewords, -codewords)
    code = TriangularCode(codewords)
    vectors = directions(40, seed + 1)
    corners, weights = code.encode(vectors)
    back = F.normalize((weights.unsqueeze(-1) * code.codewords[corners]).sum(1), dim=1)
    for vector, found in zip(vectors, back, strict=True):
        # Not `nnls`: that of SciPy 1.15 claims a distance of 0 where the vector is 0.05 away.
        fit = lsq_linear(codewords.double().numpy().T, vector.double().numpy(), (0, np.inf), method="bvls", tol=1e-14)
        distance = np.sqrt(2 * fit.cost)
        if distance < 1e-9:
            assert degrees(found, vector) < 0.1
        elif distance > 0.05:
            torch.testing.assert_close(found, codewords[(codewords @ vector).argmax()])


def test_a_codebook_of_visible_surfaces_partitions_their_half():
    """As one of the two published ones, whose codewords have all z > 0.2; their number by Euler's formula."""
    codewords = learn_codebook(visible(20000), 40)
    assert codewords[:, 2].max() < 0
    triangles = TriangularCode(codewords).triangles
    flat = (codewords[:, :2] / codewords[:, 2:]).double().numpy()  # great circles are lines here
    assert set(triangles.flatten().tolist()) == set(range(40))
    assert len(triangles) == 2 * 40 - 2 - len(ConvexHull(flat).vertices)


def test_triangles_contain_no_other_codeword():
    """The Delaunay property: no codeword lies inside the circle through the corners of a triangle."""
    code = TriangularCode(fibonacci_sphere(40))
    points = code.codewords.double()
    for triangle in code.triangles:
        a, b, c = points[triangle]
        pole = torch.linalg.cross(b - a, c - a)
        pole = pole * torch.sign(pole @ a)
        others = [k for k in range(40) if k not in triangle.tolist()]
        assert (points[others] @ pole < pole @ a).all()


def test_decoding_takes_the_triangle_of_largest_total_probability():
    code = TriangularCode(fibonacci_sphere(12))
    probability = torch.rand(12, generator=torch.Generator().manual_seed(3)).softmax(0)
    best = max(code.triangles.tolist(), key=lambda corners: sum(probability[k].item() for k in corners))
    expected = sum(probability[k] * code.codewords[k] for k in best)
    torch.testing.assert_close(code.decode(probability.view(1, 12, 1, 1)).flatten(), expected / expected.norm())


def test_learned_codebook_fits_as_well_as_that_of_scikit_learn():
    normals = visible(6000)
    learned = learn_codebook(normals, 40)
    torch.testing.assert_close(learned.norm(dim=1), torch.ones(40))
    theirs = KMeans(40, n_init=1, random_state=0).fit(normals.numpy()).cluster_centers_
    theirs = torch.from_numpy(theirs / np.linalg.norm(theirs, axis=1, keepdims=True)).float()

    def misfit(codewords: torch.Tensor) -> float:
        return degrees(normals, codewords[(normals @ codewords.T).argmax(1)]).mean().item()

    assert misfit(learned) < 1.05 * misfit(theirs)
    assert misfit(learned) < 0.6 * misfit(fibonacci_sphere(40))
    assert torch.equal(learned, learn_codebook(normals, 40))


def test_codebook_file_serves_the_task(tmp_path):
    path = tmp_path / "codebook.npy"
    codewords = learn_codebook(visible(3000), 24)
    save_codebook(path, codewords)
    torch.testing.assert_close(load_codebook(path, 24), codewords)
    task = make_tasks({"normals": {"codewords": 24, "codebook": str(path), "mode": "classification"}})["normals"]
    assert isinstance(task, Normals)
    assert task.channels == task.regions == 24
    torch.testing.assert_close(task.codebook, codewords)
    assert task.partition(as_map(codewords)).flatten().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "not a readable .npy file"),
        (b"not numpy", "not a readable .npy file"),
        (np.zeros((39, 3), np.float32), r"shape \(39, 3\), expected \(40, 3\)"),
        (np.full((40, 3), 2.0, np.float32), "expected vectors of unit length"),
        (np.full((40, 3), np.nan, np.float32), "expected vectors of unit length"),
        (np.array([{}], dtype=object), "not a readable .npy file"),
    ],
    ids=["missing", "rubbish", "shape", "length", "nan", "pickle"],
)
def test_bad_codebook_files_are_refused_by_name(tmp_path, content, match):
    path = tmp_path / "codebook.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(InputError, match=match) as caught:
        Normals(codebook=str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("codewords", "match"),
    [
        (directions(10)[[0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]], "1 of 11 codewords of a codebook repeat others"),
        (F.normalize(torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [0, -1.0, 0]]), dim=1), "in one plane"),
    ],
    ids=["repeated", "flat"],
)
def test_codebooks_without_triangles_are_refused(codewords, match):
    with pytest.raises(InputError, match=match):
        TriangularCode(codewords)


def test_too_few_different_normals():
    with pytest.raises(InputError, match="only 3 different normals for 40 codewords"):
        learn_codebook(torch.eye(3).repeat(50, 1), 40)
