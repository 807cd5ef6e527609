"""How the outputs of a network stand for one option at each position."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Output = Literal["binary", "softmax"]
Sign = Literal["fixed", "literal"]
Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


def outputs(options: int, output: Output) -> int:
    """How many logits one position needs: ceil(log2 options) bits, or one an option."""
    return max(1, (options - 1).bit_length()) if output == "binary" else options


def code_bits(options: int) -> NDArray[np.float32]:
    """[options, bits]: the bits of each option's number, the highest first."""
    shifts = np.arange(outputs(options, "binary"))[::-1]
    return (np.arange(options)[:, None] >> shifts & 1).astype(np.float32)


def decode(logits: Floats, choices: Ints, output: Output, sign: Sign = "fixed") -> Ints:
    """The option of each position that the logits make most likely.

    Under ``binary`` the likelihood of an option is the product of those of its bits, so that a
    valid code is read bit by bit (1 where its logit is above 0) and an invalid one gives the
    likeliest valid option.

    Parameters
    ----------
    logits : [..., n, outputs].
    choices : [n] options of each position.
    output : what the logits stand for.
    sign : "literal" reads a bit as 1 where the sigmoid is *at most* one half, as Eq. 19 of
        paper 004 is printed, although Eq. 20 trains it to be 1 where the bit is 1.

    Returns
    -------
    Decisions [..., n].
    """
    options = int(np.max(choices))
    scores = logits
    if output == "binary":
        scores = logits @ code_bits(options).T
        if sign == "literal":
            scores = -scores
    if np.min(choices) < options:
        scores = np.where(np.arange(options) < choices[:, None], scores, -np.inf)
    likeliest: Ints = np.argmax(scores, axis=-1)
    return likeliest


def noise(rng: np.random.Generator, shape: tuple[int, ...], output: Output) -> NDArray[np.float32]:
    """Noise for the logits that turns the likeliest option into a draw by likelihood.

    Logistic for bits and Gumbel for options, both of scale 1.
    """
    draw = rng.logistic if output == "binary" else rng.gumbel
    return draw(size=shape).astype(np.float32)
