"""
5. Reading a report
===================

Five searches give five genotypes. Do they agree more than by chance, and on what? This
page makes the report of five genotypes and shows what to look at first.
:doc:`/reading-a-report` explains all of it.
"""

# %%
# Runs can be folders of ``nas-ctx search``, genotype files, an NNI experiment or a table;
# here they are literals. A row is a run, a letter the choice of a block: none, global,
# local, t-label, s-label.
from nas_ctx.analysis import reliability, write_report

TASKS = ("semseg", "depth", "normals", "edge")
LETTERS = {"n": "none", "g": "global", "l": "local", "t": "t-label", "s": "s-label"}
SEARCHES = (
    "tlllsgssstntssln",
    "tlllsgslssnnsttn",
    "tlllsgssgtntlsln",
    "tlllsgssssntssln",
    "tllltggsssnnlttn",
)

blocks = [f"{target}/{source}" for target in TASKS for source in TASKS]
genotypes = [
    {block: LETTERS[letter] for block, letter in zip(blocks, search)}
    for search in SEARCHES
]
record = reliability(genotypes)

# %%
# The record holds the content of the report. Start with the verdict: two sentences, which
# also state the chance level.
from nas_ctx.analysis import verdict

print("\n".join(verdict(record)))

# %%
# Then the votes. A cell is a block, with its target as row and its source as column; the
# paler the cell, the closer the vote. A report contains this figure as SVG, and
# on request as PDF and PNG.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt


def show(name):
    picture = plt.imread(folder / "figures" / f"{name}.png")
    figure = plt.figure(
        figsize=(picture.shape[1] / 200, picture.shape[0] / 200), dpi=200
    )
    figure.add_axes((0, 0, 1, 1)).axis("off")
    figure.axes[0].imshow(picture)


folder = Path(tempfile.mkdtemp())
write_report(record, folder, figures=["png"])
show("votes")

# %%
# How much a percentage means depends on how the choices are distributed. Kappa is the
# share reached of the agreement that chance leaves open. Look at the intervals rather
# than the estimates: sixteen blocks are few, so the intervals are wide.
show("statistics")

# %%
# Would another five searches give the same vote? The next figure shows how often a vote
# of two, three or four of these runs equals that of all five. If the line still rises at
# its end, run more searches.
show("enough")

# %%
# With only four of the searches, one block would be tied, two against two, and there
# would be no consensus to train until a rule breaks the tie; the report then names the
# blocks that the rule decided. Here the rule is the paper's order of contexts. If the
# runs have histories, use ``ties="probability"``: the choice that was more probable when
# the searches ended.
four = reliability(genotypes[:4])
print("tied:", four.tied, "consensus:", four.consensus)

decided = reliability(genotypes[:4], ties="order").consensus
print("by order:", {block: decided[block] for block in four.tied})

# %%
# No report can say whether the vote is right: agreement only shows that the search is
# repeatable. Train the consensus network and the baseline without contexts, with several
# seeds each, and compare them in a table::
#
#     nas-ctx train train.yaml --set model.blocks=report/consensus.json --set seed=0
#     nas-ctx table runs/*
