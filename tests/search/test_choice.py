"""Sampling, entropy and decisions of choices, against SciPy, closed forms and averages over many draws."""

import copy

import pytest
import scipy.special
import scipy.stats
import torch

from nas_ctx.search.choice import Choice
from nas_ctx.search.choices import Choices


def make_choices(*alphas: list[float], seed: int = 0) -> Choices:
    choices = {}
    for number, alpha in enumerate(alphas):
        choice = Choice(f"c{number}", [f"v{i}" for i in range(len(alpha))])
        with torch.no_grad():
            choice.alpha.copy_(torch.tensor(alpha))
        choices[choice.label] = choice
    return Choices(choices, seed)


def test_mean_entropy_is_scipys_also_where_choices_differ_in_length() -> None:
    alphas = [[0.0, 0.0, 0.0], [1.0, -2.0, 0.5, 0.25], [3.0, 0.0]]
    choices = make_choices(*alphas)
    expected = sum(scipy.stats.entropy(scipy.special.softmax(a)) for a in alphas) / 3
    assert choices.mean_entropy().item() == pytest.approx(expected, rel=1e-6)


def test_entropy_gradient_is_the_closed_form() -> None:
    choices = make_choices([0.3, -1.0, 0.7], [0.1, 0.2])
    choices.mean_entropy().backward()
    for choice in choices:
        p = choice.alpha.detach().softmax(-1)
        entropy = -(p * p.log()).sum()
        assert torch.allclose(choice.alpha.grad, -p * (p.log() + entropy) / 2, atol=1e-6)


def test_decided_choices_count_in_the_entropy_but_get_no_gradient() -> None:
    choices = make_choices([0.3, -1.0], [0.1, 0.2])
    before = choices.mean_entropy().item()
    choices["c0"].decide(0, step=3)
    entropy = choices.mean_entropy()
    assert entropy.item() == pytest.approx(before)
    entropy.backward()
    assert choices["c0"].alpha.grad is None
    assert choices["c1"].alpha.grad is not None


def test_the_most_weighted_candidate_follows_softmax_alpha() -> None:
    """Gumbel-max: the largest perturbed logit is distributed as softmax(alpha), at every temperature."""
    alpha = [1.0, 0.0, -0.5]
    choices = make_choices(alpha)
    draws = 4000
    counts = torch.zeros(3)
    for step in range(draws):
        choices.sample(step, temperature=0.7)
        weights = torch.stack([w for _, w in choices["c0"].active()])
        assert weights.sum().item() == pytest.approx(1.0, abs=1e-5)
        counts[weights.argmax()] += 1
    expected = torch.tensor(alpha).softmax(-1) * draws
    assert (
        scipy.stats.chisquare(counts.numpy(), expected.numpy() * counts.sum().item() / expected.sum().item()).pvalue
        > 1e-3
    )


def test_a_step_s_sample_depends_on_seed_and_step_alone() -> None:
    def weights(choices: Choices, step: int) -> list[float]:
        choices.sample(step, 0.5)
        return [w.item() for _, w in choices["c0"].active()]

    first = make_choices([0.0, 0.0, 0.0], seed=5)
    torch.manual_seed(0)
    later = weights(first, 3)
    torch.manual_seed(99)
    assert weights(make_choices([0.0, 0.0, 0.0], seed=5), 3) == later
    assert weights(first, 4) != later
    assert weights(make_choices([0.0, 0.0, 0.0], seed=6), 3) != later


@pytest.mark.parametrize(("on", "expected"), [("probabilities", {"c1"}), ("logits", {"c0", "c1"})])
def test_the_margin_is_between_the_two_largest(on: str, expected: set[str]) -> None:
    # softmax of c0 is (0.42, 0.31, 0.15, 0.12): a margin of 0.11 in probability, of 0.31 in alpha.
    choices = make_choices([1.31, 1.0, 0.3, 0.05], [1.5, 0.0], [0.2, 0.1])
    decisions = {decision.label: decision for decision in choices.decide(0.3, step=9, on=on)}
    assert set(decisions) == expected
    assert decisions["c1"][1:] == ("v0", 9, pytest.approx(scipy.special.softmax([1.5, 0.0])[0]))
    assert choices["c1"].decided_at == 9
    assert {decision.label for decision in choices.decisions()} == expected
    assert choices["c1"].best == "v0"
    assert choices.decide(0.3, step=10, on=on) == []


def test_state_reloads_strictly_before_and_after_a_decision() -> None:
    decided = make_choices([1.5, 0.0])["c0"]
    fresh_state = copy.deepcopy(decided.state_dict())
    decided.decide(0, step=4)
    other = Choice("c0", ["v0", "v1"])
    other.load_state_dict(decided.state_dict(), strict=True)
    assert (other.decided, other.best, other.decided_at, other.alpha.requires_grad) == (True, "v0", 4, False)
    assert other.decision == decided.decision == ("c0", "v0", 4, pytest.approx(scipy.special.softmax([1.5, 0.0])[0]))
    other.load_state_dict(fresh_state, strict=True)
    assert (other.decided, other.decision, other.alpha.requires_grad) == (False, None, True)
