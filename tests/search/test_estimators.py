"""Estimators of the gradient by alpha, against the exact gradient of the expectation, enumerated in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas_ctx.config.search_settings import EstimatorName, Evaluate, SearchSettings
from nas_ctx.errors import InputError
from nas_ctx.search import GumbelSearch
from nas_ctx.search.choice import Choice
from nas_ctx.search.choices import Choices
from nas_ctx.search.estimators import ESTIMATORS, gdas, gumbel, reinmax
from nas_ctx.search.supernet.layer import MixedLayer, still_gradients
from tests.search.toy import ToySpace, run_search, toy_evaluator

ALPHA = torch.tensor([0.3, -1.1, 0.8, -0.2], dtype=torch.float64)
MATRIX = torch.tensor(
    [[1.3, 0.2, -0.5, 0.7], [0.2, 0.4, 0.9, -1.0], [-0.5, 0.9, -0.6, 0.1], [0.7, -1.0, 0.1, 2.0]], dtype=torch.float64
)


def quadratic(weights: Tensor) -> Tensor:
    """A loss with interactions and a linear part, of (1, 4) weights."""
    return (weights @ MATRIX @ weights.T).squeeze() + weights[0, 1] - 2.0 * weights[0, 2]


def noise_that_draws(index: int, others: float = 0.0) -> Tensor:
    noise = torch.full((1, 4), others, dtype=torch.float64)
    noise[0, index] += 50.0
    return noise


def gradient_of(loss: Callable[[Tensor], Tensor]) -> Tensor:
    alpha = ALPHA.clone().requires_grad_()
    return torch.autograd.grad(loss(alpha[None]), alpha)[0]


def exact(loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Of the expected loss over one-hot weights."""
    points = torch.stack([loss(torch.eye(4, dtype=torch.float64)[None, i]) for i in range(4)])
    return gradient_of(lambda alpha: (alpha[0].softmax(-1) * points).sum())


def test_reinmax_has_the_exact_expectation_on_quadratic_losses() -> None:
    """Heun's rule, which it is made of, integrates linear derivatives exactly; straight-through does not."""
    expected = torch.zeros(4, dtype=torch.float64)
    for index, probability in enumerate(ALPHA.softmax(-1)):
        noise = noise_that_draws(index)
        expected += probability * gradient_of(lambda alpha, noise=noise: quadratic(reinmax(alpha, noise, 1.0)))  # type: ignore[misc]
    torch.testing.assert_close(expected, exact(quadratic), rtol=1e-12, atol=1e-12)


def test_gdas_has_the_gradient_of_the_mixture_at_what_was_drawn() -> None:
    noise = torch.tensor([[0.4, 0.1, -0.9, 1.7]], dtype=torch.float64)
    with torch.no_grad():
        hard = gdas(ALPHA[None], noise, 0.5)
    assert hard.tolist() == [[0.0, 0.0, 0.0, 1.0]]
    slope = torch.autograd.functional.jacobian(quadratic, hard)
    expected = gradient_of(lambda alpha: (gumbel(alpha, noise, 0.5) * slope).sum())
    torch.testing.assert_close(gradient_of(lambda alpha: quadratic(gdas(alpha, noise, 0.5))), expected)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_fell_and_what_pads_a_row_takes_no_part(name: str) -> None:
    alpha = torch.tensor([[0.5, -torch.inf, 0.1], [0.2, 0.3, -torch.inf]], requires_grad=True)
    for noise in (torch.zeros(2, 3), torch.tensor([[0.0, 9.0, 2.0], [3.0, 0.0, 9.0]])):
        weights = ESTIMATORS[name](alpha, noise, 0.3)
        assert weights[0, 1] == weights[1, 2] == 0.0
        torch.testing.assert_close(weights.sum(-1), torch.ones(2))
        (gradient,) = torch.autograd.grad((weights * torch.tensor([1.0, 2.0, -3.0])).sum(), alpha)
        assert gradient.isfinite().all()
        assert gradient[0, 1] == gradient[1, 2] == 0.0


def drawn(name: EstimatorName, steps: int) -> list[list[int]]:
    choice = Choice("c", ["a", "b", "c"])
    choice.alpha.data = torch.tensor([1.0, 0.0, -0.5])
    choices = Choices({"c": choice}, seed=3)
    evaluated = []
    for step in range(steps):
        choices.sample(step, 0.7, estimator=name)
        evaluated.append([index for index, weight in choice.active() if weight is not None])
    return evaluated


def test_gdas_evaluates_what_it_drew_and_the_others_all() -> None:
    assert all(len(indices) == 1 for indices in drawn("gdas", 50))
    assert {index for (index,) in drawn("gdas", 50)} == {0, 1, 2}
    assert all(len(indices) == 3 for name in ("gumbel", "reinmax") for indices in drawn(name, 5))


def test_candidates_that_did_not_run_keep_their_momentum() -> None:
    layer = MixedLayer({name: nn.Linear(2, 2) for name in "abc"}, Choice("c", list("abc")))
    choices = Choices({"c": layer.architecture}, seed=0)
    choices.sample(0, 1.0, estimator="gdas")
    layer(torch.ones(1, 2)).sum().backward()
    assert sum(candidate.weight.grad is not None for candidate in layer) == 1
    still_gradients(layer)
    assert all(p.grad is not None for candidate in layer for p in candidate.parameters())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_search_of_every_kind_of_choice_finds_what_is_best(name: EstimatorName) -> None:
    strategy = GumbelSearch(arch_lr=0.02, temperature=(1.0, 1.0), estimator=name, seed=0)
    torch.manual_seed(0)
    run_search(strategy, ToySpace(), toy_evaluator(300))
    assert strategy.genotype() == {"first": "linear", "second": 0, "pick": (0,)}


@pytest.mark.parametrize(("name", "evaluate"), [("gumbel", "partial"), ("gdas", "all"), ("reinmax", "all")])
def test_only_a_mixture_is_evaluated_partially_unless_somebody_says_otherwise(
    name: EstimatorName, evaluate: Evaluate
) -> None:
    settings = SearchSettings(estimator=name)
    assert settings.evaluation == evaluate
    assert SearchSettings(**settings.model_dump()) == settings  # as a run's own configuration is read again
    others = {other: settings.model_copy(update={"estimator": other}).evaluation for other in ("gumbel", "gdas")}
    assert others == {"gumbel": "partial", "gdas": "all"}
    assert GumbelSearch(SearchSettings(), estimator=name).settings.evaluation == evaluate
    assert GumbelSearch(SearchSettings(evaluate="all"), estimator=name).settings.evaluation == "all"


def test_partial_evaluation_of_what_is_no_mixture_is_refused() -> None:
    with pytest.raises(InputError, match="evaluate: 'partial': needs the mixture of estimator 'gumbel'"):
        GumbelSearch(estimator="reinmax", evaluate="partial")
