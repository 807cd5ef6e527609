"""Bits of an option's number: a bijection, and what invalid codes stand for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.learning.codes import code_bits, decode, noise, outputs


@pytest.mark.parametrize("options", range(1, 18))
def test_codes_are_a_bijection(options: int) -> None:
    bits = code_bits(options)
    assert bits.shape == (options, outputs(options, "binary"))
    assert len(np.unique(bits, axis=0)) == options
    logits = (2 * bits - 1)[:, None, :] * 3.0
    assert decode(logits, np.array([options]), "binary").ravel().tolist() == list(range(options))


def test_the_highest_bit_comes_first() -> None:
    assert code_bits(5).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]]
    assert [outputs(s, "binary") for s in (2, 3, 4, 5, 8, 9)] == [1, 2, 2, 3, 3, 4]
    assert outputs(5, "softmax") == 5


@given(st.integers(2, 11), st.lists(st.floats(-8, 8, width=32), min_size=4, max_size=4))
def test_an_invalid_code_becomes_the_likeliest_valid_option(
    options: int, values: list[float]
) -> None:
    logits = np.array(values[: outputs(options, "binary")], dtype=np.float32)
    one = 1 / (1 + np.exp(-logits.astype(float)))
    likelihood = [np.prod(np.where(bits > 0, one, 1 - one)) for bits in code_bits(options)]
    chosen = decode(logits[None], np.array([options]), "binary")[0]
    assert likelihood[chosen] == pytest.approx(max(likelihood), rel=1e-5)
    code = int("".join(str(int(value > 0)) for value in logits), 2)
    if code < options and np.abs(logits).min() > 1e-4:
        assert chosen == code


def test_the_printed_sign_reads_the_complement() -> None:
    logits = np.array([[[2.0, -1.0]], [[-1.0, 3.0]], [[1.0, 1.0]]])
    assert decode(logits, np.array([4]), "binary").ravel().tolist() == [2, 1, 3]
    assert decode(logits, np.array([4]), "binary", "literal").ravel().tolist() == [1, 2, 0]


@pytest.mark.parametrize("output", ["binary", "softmax"])
def test_positions_with_fewer_options_never_take_more(output: str) -> None:
    choices = np.array([1, 2, 3, 5])
    logits = np.random.default_rng(0).normal(0, 5, (3, 200, 4, outputs(5, output)))
    x = decode(logits, choices, output)
    assert x.shape == (3, 200, 4)
    assert (x < choices).all() and (x >= 0).all()
    assert all(len(np.unique(x[..., i])) == choices[i] for i in range(4))


def test_noise_draws_each_option_by_its_likelihood() -> None:
    rng = np.random.default_rng(1)
    bits = np.array([[1.2, -0.4]])
    drawn = decode(bits + noise(rng, (40_000, 1, 2), "binary"), np.array([4]), "binary")
    one = 1 / (1 + np.exp(-bits[0]))
    for option, (high, low) in enumerate(itertools.product((0, 1), repeat=2)):
        wanted = abs(1 - high - one[0]) * abs(1 - low - one[1])
        assert np.mean(drawn == option) == pytest.approx(wanted, abs=0.01)
    logits = np.array([[0.5, -1.0, 1.5]])
    drawn = decode(logits + noise(rng, (40_000, 1, 3), "softmax"), np.array([3]), "softmax")
    wanted = np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert np.bincount(drawn.ravel()) / 40_000 == pytest.approx(wanted, abs=0.01)
