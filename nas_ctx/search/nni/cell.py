"""Cells in the supernet: every node chooses its inputs and operations among all that it could have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from nni.nas.nn.pytorch import Cell
from nni.nas.nn.pytorch.base import recursive_freeze
from nni.nas.nn.pytorch.cell import create_cell_op_candidates, preprocess_cell_inputs
from nni.nas.space import model_context
from torch import nn

from nas_ctx.search.choice import Choice, product
from nas_ctx.search.nni.layers import SupernetModule


class MixedCell(SupernetModule):
    """A cell whose operations depend on the input that they get, such as those of NNI's DARTS space.

    There is an operation of each kind for each input of a node. A node has some slots, each with a choice of the input
    and one of the operation. Its output is the sum of its operations, each weighted by the sum over the slots of the
    product of both weights. The choices are those of the space, under the same labels.

    A cell of merge operation "loose_end" is treated as one of "all", as NNI's own supernets do.

    Args:
        cell: has a factory of operations.
        choices: label -> choice.
    """

    add_mutable: Callable[[Any], Any]
    validate: Callable[[dict[str, Any]], None]

    def __init__(self, cell: Cell, choices: Mapping[str, Choice]) -> None:
        super().__init__()
        self._arguments = {
            "op_candidates": cell.op_candidates_factory,
            "num_nodes": cell.num_nodes,
            "num_ops_per_node": cell.num_ops_per_node,
            "num_predecessors": cell.num_predecessors,
            "merge_op": cell.merge_op,
            "concat_dim": cell.concat_dim,
            "label": cell.label,
        }
        self.num_predecessors, self.concat_dim = cell.num_predecessors, cell.concat_dim
        self.preprocessor: Any = cell.preprocessor
        self.postprocessor: Any = cell.postprocessor
        self.edges: Any = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleDict(create_cell_op_candidates(cell.op_candidates_factory, node, 0, source)[0])
                for source in range(node)
            )
            for node in cell.output_node_indices
        )
        slots = [list(zip(inputs, ops, strict=True)) for inputs, ops in zip(cell.inputs, cell.ops, strict=True)]
        for mutable in (part.choice for node in slots for slot in node for part in slot):
            self.add_mutable(mutable)
        # Per node, per slot: the choice of the input and that of the operation.
        self._slots = [[(choices[i.label], choices[o.label]) for i, o in node] for node in slots]
        self.architecture = nn.ModuleList(choice for node in self._slots for slot in node for choice in slot)

    def pruned(self) -> list[str]:
        names = []
        for number, (edges, slots) in enumerate(zip(self.edges, self._slots, strict=True)):
            alive = {(i, o) for source, op in slots for i in source.possible for o in op.possible}
            names += [
                f"edges.{number}.{source}.{name}"
                for source, ops in enumerate(edges)
                for index, name in enumerate(ops)
                if (source, index) not in alive
            ]
        return names

    def forward(self, *inputs: Any) -> Any:
        predecessors = preprocess_cell_inputs(self.num_predecessors, *inputs)
        states = list(self.preprocessor(predecessors))
        for edges, slots in zip(self.edges, self._slots, strict=True):
            weights: dict[tuple[int, str], Any] = {}
            for source, op in slots:
                for i, input_weight in source.active():
                    for o, op_weight in op.active():
                        weight = product(input_weight, op_weight)
                        key = (source.values[i], op.values[o])
                        weights[key] = weights.get(key, 0.0) + (1.0 if weight is None else weight)
            outputs = {f"{o} of input {i}": edges[i][o](states[i]) for i, o in weights}
            device = next(iter(outputs.values())).device
            states.append(self.mixed(outputs, [torch.as_tensor(weight, device=device) for weight in weights.values()]))
        return self.postprocessor(torch.cat(states[self.num_predecessors :], self.concat_dim), predecessors)

    def freeze(self, sample: dict[str, Any]) -> nn.Module:
        """The cell of a sample, with its weights in the supernet."""
        self.validate(sample)
        processors = {
            name: recursive_freeze(part, sample)[0] if isinstance(part, nn.Module) else part
            for name, part in (("preprocessor", self.preprocessor), ("postprocessor", self.postprocessor))
        }
        with model_context(sample):
            cell = Cell(**self._arguments, **processors)
        for ops, edges, slots in zip(cell.ops, self.edges, self._slots, strict=True):
            for number, (source, op) in enumerate(slots):
                edge = edges[sample[source.label][0]][sample[op.label]]
                ops[number] = copy.deepcopy(recursive_freeze(edge, sample)[0])
        return cell
