"""Sparse updates and complete unlock against references: a loop that visits the layers one by one, and two limits.

The twins go through the layers from the top, whatever the order of the visits; the loop here follows that order.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch

from impls.engine.randomness import uniform_per_iteration
from impls.engine.state import Leaves, flatten
from impls.experiments.feedforward import spec as feedforward
from impls.experiments.unlock.spec import Spec
from impls.registry import implementation
from tests.support.harness import EXAMPLES, SEEDS, jax_slow_axis
from tests.support.plain_net import EXACT, PlainNet, parameters_off_zero, plain_batch, run_with

STEPS = 6
MANY = 2000  # iterations whose visits are counted

# The first two are cells of the ladder and share its compiled programs; the others change what the paper leaves fixed.
CELLS = [
    {"unlock": "sparse", "method": "dni"},
    {"unlock": "complete", "method": "cdni"},
    {"unlock": "sparse", "method": "cdni", "depth": 3, "target_scale": "batch_mean", "synthetic_gradient_depth": 1},
    {"unlock": "complete", "method": "dni", "depth": 3, "target_scale": "batch_mean"},
    {"unlock": "sparse", "method": "cdni", "unvisited": "frozen", "running_statistics": "iterations"},
    {"unlock": "complete", "method": "dni", "unvisited": "frozen", "statistics_inputs": "real"},
]


def tiny(**fields) -> Spec:
    return Spec.tiny(**({"input_model_units": 6, "p_update": 0.6} | fields))


def one_iteration(inputs: Leaves, k: int) -> Leaves:
    return {name: value[k : k + 1] for name, value in inputs.items()}


def advance(run, inputs: Leaves) -> None:
    """One launch for each iteration: only one length is ever compiled."""
    for k in range(len(inputs["indices"])):
        run.advance(one_iteration(inputs, k))


def assert_equal(found: Leaves, expected: Leaves, where: str = "") -> None:
    """Bit for bit: a zero that changed its sign is a difference."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].tobytes() == value.tobytes(), f"{where} {name}"


class UnlockedNet(PlainNet):
    """One replica's net, models and optimizers, one for each module, so that each counts its own updates."""

    def __init__(self, spec: Spec, parameters: Leaves, replica: int) -> None:
        super().__init__(spec, parameters, replica)
        modules: dict[str, list[torch.Tensor]] = {}
        for name, value in self.p.items():
            modules.setdefault(name.split(".")[0], []).append(value)
        self.adam = {
            name: torch.optim.Adam(values, spec.learning_rate, spec.adam_decays, spec.adam_epsilon)
            for name, values in modules.items()
        }
        hidden = range(1, spec.depth)
        self.running = {f"layer{i}.mean": torch.zeros(spec.hidden_units).double() for i in hidden}
        self.running |= {f"layer{i}.variance": torch.ones(spec.hidden_units).double() for i in hidden}

    def input_model(self, i: int, x: torch.Tensor) -> torch.Tensor:
        return self.affine(f"input{i}.output", self.hidden(f"input{i}.layer1", x))

    def modules(self, i: int) -> list[str]:
        """What a visit of layer i updates: the layer, M of the layer below, and I of the layer above."""
        names = ["classifier" if i == self.spec.depth else f"layer{i}", f"synthetic_gradient{i - 1}", f"input{i + 1}"]
        return [name for name in names if name in self.adam]

    def miss(self, i: int) -> None:
        """Layer i is not visited."""
        for module in self.modules(i) if self.spec.unvisited == "zero_gradient" else ():
            for parameter in self.adam[module].param_groups[0]["params"]:
                parameter.grad = torch.zeros_like(parameter)
            self.adam[module].step()

    def learn(self, module: str, loss: torch.Tensor) -> None:
        """A step of the module's own Adam down the loss; no other module learns."""
        for parameter in self.p.values():
            parameter.grad = None
        loss.backward(inputs=self.adam[module].param_groups[0]["params"])
        self.adam[module].step()

    def moments(self, i: int, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Layer i's batch statistics, the variance divided by the batch's size."""
        z = self.affine(f"layer{i}", x).detach()
        return {"mean": z.mean(0), "variance": z.var(0, correction=0)}

    def follow(self, i: int, moments: dict[str, torch.Tensor]) -> None:
        """Exponential averages of layer i's batch statistics."""
        decay = self.spec.batch_norm_momentum
        for name, value in moments.items():
            self.running[f"layer{i}.{name}"] = decay * self.running[f"layer{i}.{name}"] + (1 - decay) * value

    def iteration(self, x: torch.Tensor, labels: torch.Tensor, order: list[int], visited: set[int]) -> None:
        """The forward pass, then the layers in `order`, one after the other; each changes what the next ones find."""
        depth, complete = self.spec.depth, self.spec.unlock == "complete"
        scale = 1 if self.spec.target_scale == "example" else 1 / len(labels)  # of the loss whose gradient M learns
        below, output, real, moments = {1: x}, {}, x, {}
        for i in range(1, depth):
            below[i] = below[i].detach().requires_grad_()
            output[i] = self.hidden(f"layer{i}", below[i])
            below[i + 1] = self.input_model(i + 1, x) if complete else output[i]
            moments[i] = self.moments(i, real if self.spec.statistics_inputs == "real" else below[i])
            real = self.hidden(f"layer{i}", real).detach()
        below[depth] = below[depth].detach().requires_grad_()

        for i in order:
            if i < depth and (i in visited or self.spec.running_statistics == "iterations"):
                self.follow(i, moments[i])
            if i not in visited:
                self.miss(i)
                continue
            if i == depth:
                update = scale * self.summed_loss(below[i], labels)
            else:
                sent = self.model(i, output[i].detach(), labels).detach()
                update = (output[i] * sent).sum()
            (sent_down,) = torch.autograd.grad(update, below[i], retain_graph=True)
            self.learn("classifier" if i == depth else f"layer{i}", update / (scale * len(labels)))
            if i > 1:
                error = self.model(i - 1, output[i - 1].detach(), labels) - sent_down
                self.learn(f"synthetic_gradient{i - 1}", (error**2).sum(1).mean())
            if complete and i < depth:
                error = self.input_model(i + 1, x) - output[i].detach()
                self.learn(f"input{i + 1}", (error**2).sum(1).mean())


def layers_in_order(seed: int, inputs: Leaves, k: int, replica: int) -> tuple[list[int], set[int]]:
    """All layers by the times that iteration k draws, counted from 1, and those that it visits."""
    visited, depth = inputs["visited"][k, replica], inputs["visited"].shape[-1]
    (times,) = uniform_per_iteration(seed, "times of visits", depth, k, k + 1)
    order = [int(i) + 1 for i in np.argsort(times)]
    late = inputs["after_successor"][k, replica]
    assert [order.index(i) > order.index(i + 1) for i in range(1, depth)] == late[:-1].tolist() and not late[-1]
    return order, {i for i in order if visited[i - 1]}


@jax_slow_axis
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell['unlock']}-{cell['method']}")
def test_the_twins_equal_a_loop_that_visits_one_layer_after_the_other(framework, cell):
    """Parameters, running statistics and each module's own count of updates, after every one of a few iterations."""
    spec = tiny(**cell)
    parameters = parameters_off_zero(spec)
    run = run_with(spec, framework, parameters, experiment="unlock")
    nets = [UnlockedNet(spec, parameters, replica) for replica in range(len(SEEDS))]
    inputs = spec.step_inputs(SEEDS, EXAMPLES, 0, STEPS)
    asked_late = 0
    for k in range(STEPS):
        now = one_iteration(inputs, k)
        run.advance(now)
        after = run.leaves()
        for replica, (seed, net) in enumerate(zip(SEEDS, nets, strict=True)):
            order, visited = layers_in_order(seed, inputs, k, replica)
            asked_late += sum(i + 1 in visited.intersection(order[: order.index(i)]) for i in visited)
            net.iteration(*plain_batch(run, now, replica), order, visited)
            expected = {f"parameters.{name}": value.detach() for name, value in net.p.items()}
            expected |= {f"statistics.{name}": value for name, value in net.running.items()}
            for path, value in expected.items():
                np.testing.assert_allclose(
                    after[path][replica], value, rtol=EXACT, atol=EXACT, err_msg=f"{path}, iteration {k}"
                )
            for name in net.p:
                count = net.adam[name.split(".")[0]].state.get(net.p[name], {}).get("step", 0)
                assert after[f"adam.t.{name}"][replica] == count, f"updates of {name}, iteration {k}"
    assert asked_late > len(SEEDS), "hardly any layer came after its successor: other seeds tell more"


@jax_slow_axis
@pytest.mark.parametrize("cell", [{"method": "dni"}, {"method": "cdni", "depth": 3}], ids=["dni", "cdni"])
def test_every_layer_visited_from_below_is_the_every_layer_dni(framework, cell):
    """Its whole state. Only Adam's count of updates differs: here each parameter and replica has one.

    The feed-forward experiment runs in PyTorch, whichever twin is tested: it compiles nothing.
    """
    plain, unlocked = feedforward.Spec.tiny(**cell), tiny(**cell, p_update=1.0, order="from_below")
    parameters = parameters_off_zero(plain)
    expected = run_with(plain, "torch", parameters)
    run = run_with(unlocked, framework, parameters, experiment="unlock")
    advance(expected, plain.step_inputs(SEEDS, EXAMPLES, 0, STEPS))
    advance(run, unlocked.step_inputs(SEEDS, EXAMPLES, 0, STEPS))
    found, wanted = run.leaves(), expected.leaves()
    assert not np.array_equal(wanted["parameters.layer1.weight"], parameters["layer1.weight"])
    wanted |= {f"adam.t.{name}": np.full(len(SEEDS), float(STEPS)) for name in parameters}
    del wanted["adam.t"]
    assert set(found) == set(wanted)
    for path, value in wanted.items():
        np.testing.assert_allclose(found[path], value, rtol=EXACT, atol=EXACT, err_msg=path)


@jax_slow_axis
def test_a_missed_visit_with_a_zero_gradient_moves_on_with_the_mean_of_past_gradients(framework):
    """Where nothing was learnt, that mean is zero, and only the count moves; after a visit it no longer is."""
    spec = tiny(unlock="complete", method="cdni", p_update=0.0, unvisited="zero_gradient", statistics_inputs="real")
    run = run_with(spec, framework, parameters_off_zero(spec), experiment="unlock")
    before = run.leaves()
    advance(run, spec.step_inputs(SEEDS, EXAMPLES, 0, 2))
    counts = {path: value + 2 if path.startswith("adam.t.") else value for path, value in before.items()}
    assert_equal(run.leaves(), counts, "before any visit:")
    advance(run, tiny(p_update=1.0).step_inputs(SEEDS, EXAMPLES, 0, 1))
    visited = run.leaves()
    advance(run, spec.step_inputs(SEEDS, EXAMPLES, 1, 2))
    for path, value in run.leaves().items():
        changed = not np.array_equal(value, visited[path])
        assert changed == (not path.startswith("statistics")), path


@jax_slow_axis
def test_without_updates_nothing_changes(framework):
    """p_update 0 with `frozen` leaves every bit where it is. Evaluation connects the layers, without input models."""
    spec = tiny(unlock="complete", method="cdni", p_update=0.0, unvisited="frozen")
    parameters = parameters_off_zero(spec)
    run = run_with(spec, framework, parameters, experiment="unlock")
    for trained in (0, 2):  # from the first state, and from one with moments and counts
        if trained:  # the step knows p_update from its inputs alone
            advance(run, tiny(p_update=1.0).step_inputs(SEEDS, EXAMPLES, 0, trained))
        before = run.leaves()
        assert (before["adam.t.layer1.weight"] == trained).all()
        advance(run, spec.step_inputs(SEEDS, EXAMPLES, trained, trained + STEPS))
        assert_equal(run.leaves(), before, f"after {trained} iterations of training and {STEPS} without visits:")

    errors = run.evaluate("train", None)
    run.load({path: value + path.startswith("parameters.input") for path, value in before.items()})
    assert not np.array_equal(run.leaves()["parameters.input2.output.bias"], before["parameters.input2.output.bias"])
    assert_equal(run.evaluate("train", None), errors, "with other input models:")
    run.load({path: value + (path == "parameters.layer1.shift") for path, value in before.items()})
    assert not np.array_equal(run.evaluate("train", None)["loss"], errors["loss"])


@jax_slow_axis
def test_complete_unlock_with_perfect_input_models_is_sparse_updates(framework, monkeypatch):
    """If I returns what the layer below sends, layers, models M and Adam's moments equal those of sparse updates."""
    sparse = tiny(**CELLS[2])
    complete = tiny(**CELLS[2] | {"unlock": "complete"})
    parameters = parameters_off_zero(complete)
    shared = {name: value for name, value in parameters.items() if not name.startswith("input")}
    expected = run_with(sparse, framework, shared, experiment="unlock")
    inputs = sparse.step_inputs(SEEDS, EXAMPLES, 0, STEPS)
    advance(expected, inputs)

    twin = implementation("unlock", framework)
    run_function, sent_up = twin.vjp, []

    def remember_what_layers_send(function, *arguments, **options):
        output, *rest = run_function(function, *arguments, **options)
        if function is twin.layer:
            sent_up.append(output)
        return output, *rest

    def perfect_input_model(model_parameters, x_RBH, spec):
        return sent_up[-1] + sum((0 * value).sum() for value in flatten(model_parameters).values())

    monkeypatch.setattr(twin, "vjp", remember_what_layers_send)
    monkeypatch.setattr(twin, "input_model", perfect_input_model)
    run = run_with(complete, framework, parameters, experiment="unlock")
    advance(run, inputs)
    found, wanted = run.leaves(), expected.leaves()
    tolerance = 0 if framework == "torch" else EXACT  # two compiled programs may add in different orders
    for path, value in wanted.items():
        np.testing.assert_allclose(found[path], value, rtol=tolerance, atol=tolerance, err_msg=path)
    for name in set(parameters) - set(shared):
        np.testing.assert_array_equal(found[f"parameters.{name}"], parameters[name], err_msg=name)


def visits_of(spec: Spec, seeds: list[int], first: int = 0, last: int = MANY) -> tuple[np.ndarray, np.ndarray]:
    inputs = spec.step_inputs(seeds, EXAMPLES, first, last)
    return inputs["visited"], inputs["after_successor"]


def test_replicas_spread_p_update_over_0_to_1():
    (p_update,) = Spec.tiny().replica_settings(list(range(100))).values()
    assert len(set(p_update)) == 100
    np.testing.assert_allclose(np.sort(p_update), (np.arange(100) + 0.5) / 100, rtol=0, atol=0.02)
    assert Spec.tiny().replica_settings([7, 3])["p_update"] == [p_update[7], p_update[3]], "a seed keeps its own"
    assert Spec.tiny(p_update=0.3).replica_settings([7, 3])["p_update"] == [0.3, 0.3]


@pytest.mark.parametrize("p_update", [None, 0.05, 1.0])
def test_layers_are_visited_with_probability_p_update_each_on_its_own(p_update):
    spec, seeds = Spec.tiny(p_update=p_update), [0, 1, 2, 3, 4]
    visited, _ = visits_of(spec, seeds)
    for replica, p in enumerate(spec.replica_settings(seeds)["p_update"]):
        events = {f"layer {i + 1}": (p, visited[:, replica, i]) for i in range(spec.depth)}
        events["all of them"] = (p**spec.depth, visited[:, replica].all(1))
        events["layer 1 twice running"] = (p**2, visited[::2, replica, 0] & visited[1::2, replica, 0])
        for name, (probability, happened) in events.items():
            standard_error = np.sqrt(probability * (1 - probability) / len(happened))
            assert abs(happened.mean() - probability) <= 4 * standard_error, (name, replica, p)
    assert not np.array_equal(visited[:, 0], visited[:, 1]) or p_update == 1


@pytest.mark.parametrize("depth", [3, 4])
def test_every_order_of_the_visits_is_as_likely(depth):
    """Also where all layers are visited. chi2 stays below its mean plus four standard deviations."""
    spec, seeds = Spec.tiny(depth=depth, p_update=0.6), [0, 1, 2, 3, 4]
    visited, late = visits_of(spec, seeds)
    assert not late[..., -1].any()
    orders = [tuple(np.diff(times) < 0) for times in permutations(range(depth))]
    share = {order: count / len(orders) for order, count in Counter(orders).items()}
    for chosen in (late[..., :-1].reshape(-1, depth - 1), late[visited.all(-1)][:, :-1]):
        found = Counter(map(tuple, chosen.tolist()))
        assert set(found) == set(share)
        chi2 = sum((found[order] - p * len(chosen)) ** 2 / (p * len(chosen)) for order, p in share.items())
        freedom = len(share) - 1
        assert chi2 <= freedom + 4 * np.sqrt(2 * freedom), found
    assert not visits_of(Spec.tiny(depth=depth, order="from_below"), seeds)[1].any()


def test_any_stretch_of_the_visits_is_that_part_of_the_whole():
    """They may be asked for iteration by iteration, across the blocks in which they are drawn, or for one replica."""
    whole = visits_of(Spec.tiny(), SEEDS)
    ends = [0, 1, 2, 998, 1000, 1003, MANY]
    pieces = [visits_of(Spec.tiny(), SEEDS, first, last) for first, last in pairwise(ends)]
    for all_of_it, parts in zip(whole, zip(*pieces, strict=True), strict=True):
        np.testing.assert_array_equal(all_of_it, np.concatenate(parts))
    for all_of_it, alone in zip(whole, visits_of(Spec.tiny(), SEEDS[1:]), strict=True):
        np.testing.assert_array_equal(all_of_it[:, 1:], alone)
