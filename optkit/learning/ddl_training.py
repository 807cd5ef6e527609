"""Training of the networks of paper 004 (Algorithm 1) for any problem with features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import MethodUnavailable, UsageError
from optkit.instance import Instance
from optkit.learning import ddl
from optkit.learning.archive import Arrays
from optkit.learning.choosing import best_of, features_of, improved
from optkit.learning.ddl_memory import Memory
from optkit.learning.ddl_metrics import TestSet
from optkit.learning.ddl_settings import DdlSettings, Preset, ddl_settings
from optkit.learning.exact_labels import solved
from optkit.learning.networks import Networks, Shape, drawn_layers
from optkit.learning.policy import Policy
from optkit.learning.training import State, Training, needs

if TYPE_CHECKING:
    from optkit.learning.ddl_steps import Learner

Ints = NDArray[np.int64]
_NO_FEATURES = "a scenario has no features"
_CHUNK = 64  # scenarios that are drawn together while the memory fills


def train(training: Training, *, preset: Preset = "paper", **options: Any) -> Policy | None:
    """Train K networks on labels that they find themselves; ``None`` where it was interrupted.

    Parameters
    ----------
    training : scenarios, seed, checkpoints.
    preset : ``paper`` as printed, ``strong`` with the repairs of `DdlSettings`.
    options : fields of `DdlSettings`.

    Raises
    ------
    UsageError
        An option is wrong, or the scenarios are of different sizes.
    MethodUnavailable
        JAX is not installed.
    """
    settings = ddl_settings(preset, options)
    needs("jax", "optax")
    return _Trainer(training, settings).run()


class _Trainer:
    def __init__(self, training: Training, settings: DdlSettings) -> None:
        from optkit.learning.ddl_steps import Learner

        self.training, self.settings = training, settings
        self.options = asdict(settings)
        self.rng = np.random.default_rng(training.seed)
        self.shape = _shape(training.test_scenario(0), settings)
        layers = drawn_layers(self.shape, settings.networks, self.rng, settings.deviation)
        self.networks = Networks(self.shape, layers)
        self.learner: Learner = Learner(self.shape, layers, settings)
        self.memory = Memory(settings.memory, self.shape.positions, self.shape.features)
        self.iteration = 0
        self.losses: list[float] = []
        self.history: list[dict[str, Any]] = []

    def run(self) -> Policy | None:
        """From the beginning, or from the state that an earlier call left, to the policy."""
        training, settings = self.training, self.settings
        if (policy := training.finished(self.options)) is not None:
            return policy
        state = training.resumed(self.options)
        self._report({"preparing": f"{settings.tests} test scenarios"})
        self.tests = TestSet(*self._scenarios(range(settings.tests), training.test_scenario))
        if state is not None:
            self._restore(*state)
        else:
            self.tests.solve(training, settings.reference_s)
            if training.stopped():  # what is solved depends on when: not worth a state
                return None
        self._fill()
        self._iterate()
        if self.memory.missing or not self.history or self.iteration < settings.iterations:
            training.checkpoint(self.options, self._state, now=True)
            return None
        return self._policy()

    def _fill(self) -> None:
        while (missing := self.memory.missing) and self._remember(min(missing, _CHUNK)):
            self.training.checkpoint(self.options, self._state)
            self._report({"preparing": f"memory of {self.settings.memory}, {missing} to go"})

    def _iterate(self) -> None:
        settings = self.settings
        if not self.memory.missing and not self.history:
            self._measure()
        while self.iteration < settings.iterations and self._remember(settings.new):
            self._learn()
            self.iteration += 1
            if not self.iteration % settings.measure or self.iteration == settings.iterations:
                self._measure()
            self.training.checkpoint(self.options, self._state)
            self._report(self.history[-1])

    def _remember(self, count: int) -> bool:
        """Write new scenarios to the memory with their labels (lines 3-15).

        ``False``, with nothing changed, where the training is to stop.
        """
        rng, first = self.rng.bit_generator.state, self.memory.added
        numbers = range(first, first + count)
        instances, features = self._scenarios(numbers, self.training.scenario)
        decided = self.networks.decide(features, self.rng if self.settings.explore else None)
        labels = [self._label(one, decided[:, row]) for row, one in enumerate(instances)]
        if self.training.stopped():  # perhaps in the middle of an exact label
            self.rng.bit_generator.state = rng
            return False
        self.memory.add(features, np.array(labels))
        return True

    def _label(self, instance: Instance, candidates: Ints) -> Ints:
        settings = self.settings
        if settings.label == "exact":
            found = solved(instance, settings.label_s, self.training.interrupt)
            if found.x is not None:
                candidates = np.vstack([found.x, candidates])
        best = best_of(instance, candidates)
        return improved(instance, best, settings.rounds) if settings.label == "one_opt" else best

    def _learn(self) -> None:
        """One step of every network on a batch of its own (lines 16-17)."""
        settings, positions = self.settings, self.shape.positions
        size = (settings.networks, settings.batch)
        rows = self.rng.integers(0, settings.memory, size)
        order = np.broadcast_to(np.arange(positions), (*size, positions))
        if settings.permute:
            order = self.rng.permuted(order, axis=-1)
        loss = self.learner.learn(self.memory, rows, order)
        if not np.isfinite(loss):
            raise UsageError(
                f"the loss is {loss} in iteration {self.iteration}: a lower learning_rate may help"
            )
        self.losses.append(loss)
        self.networks = Networks(self.shape, self.learner.host_layers())

    def _measure(self) -> None:
        loss = float(np.mean(self.losses)) if self.losses else None
        self.losses = []
        measured = self.tests.measure(self.networks) if self.tests.instances else {}
        self.history.append({"iteration": self.iteration, "loss": loss, **measured})

    def _scenarios(
        self, numbers: range, draw: Callable[[int], Instance]
    ) -> tuple[list[Instance], NDArray[np.float32]]:
        """Instances and their features [B, n, f]."""
        shape = (len(numbers), self.shape.positions, self.shape.features)
        instances, features = [draw(number) for number in numbers], np.zeros(shape, np.float32)
        for row, instance in enumerate(instances):
            seen = features_of(instance)
            if seen is None:
                raise UsageError(_NO_FEATURES)
            try:
                self.networks.check(instance, seen)
            except UsageError as error:
                raise UsageError(f"the scenarios differ in size: {error}") from None
            if not np.isfinite(seen).all():
                raise UsageError(f"features of {instance.name or 'a scenario'} are not finite")
            features[row] = seen
        return instances, features

    def _report(self, facts: Mapping[str, Any]) -> None:
        self.training.report(self.iteration, self.settings.iterations, facts)

    def _state(self) -> State:
        document = {
            "rng": self.rng.bit_generator.state,
            "added": self.memory.added,
            "iteration": self.iteration,
            "losses": self.losses,
            "history": self.history,
        }
        parts = (self.networks, self.memory, self.learner, self.tests)
        return document, {name: array for part in parts for name, array in part.arrays().items()}

    def _restore(self, document: Mapping[str, Any], arrays: Arrays) -> None:
        try:
            self.rng.bit_generator.state = document["rng"]
            self.iteration = document["iteration"]
            self.losses, self.history = document["losses"], document["history"]
            self.networks = Networks.restored(self.networks.description(), arrays)
            self.memory.restore(arrays, document["added"])
            self.learner.restore(self.networks.layers, arrays)
            self.tests.restore(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"the state of the training is damaged, or of other versions of its packages "
                f"({error}): train without resuming"
            ) from None

    def _policy(self) -> Policy:
        precision = np.dtype(self.settings.precision)
        with np.errstate(over="ignore"):
            arrays = {
                name: array.astype(precision) for name, array in self.networks.arrays().items()
            }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise UsageError(f"weights are too large for option precision {precision.name}")
        return self.training.policy(
            self.options,
            self.networks.description(),
            arrays,
            self.history,
            ("optkit", "numpy", "jax", "optax"),
        )


def _shape(instance: Instance, settings: DdlSettings) -> Shape:
    """The network for instances of this size."""
    if (reason := ddl.applies(instance)) is not None:
        raise MethodUnavailable(f"ddl cannot be trained: {reason}")
    features = features_of(instance)
    assert features is not None
    choices = tuple(map(int, instance.choices))
    if settings.permute and len(set(choices)) > 1:
        raise UsageError("option permute needs positions of equally many options")
    return Shape(
        choices, features.shape[1], settings.extractor, settings.hidden, settings.output,
        settings.sign,
    )  # fmt: skip
