"""
5. Reading a report
===================

Five searches, five genotypes. Do they agree, more than chance would have them, and on
what? This page makes the report of five genotypes and says what to look at first.
:doc:`/reading-a-report` goes through all of it.
"""

# %%
# The runs may be folders of ``nas-ctx search``, genotype files, an NNI experiment or a
# table; here they are written down. Rows are runs, and a letter is the choice of a
# block: none, global, local, t-label, s-label.
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
# The record holds everything that a report says. Begin with the verdict: two sentences,
# with what chance would give.
from nas_ctx.analysis import verdict

print("\n".join(verdict(record)))

# %%
# Then the votes. A cell is a block, its row the task that looks and its column the task
# it looks at; the paler, the closer was the vote. The figure is one of those that a
# report leaves in its folder, as SVG, PDF and PNG.
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
write_report(record, folder)
show("votes")

# %%
# One percentage can mean much or little, as the choices are many or few. Kappa asks how
# much of the agreement that chance left open was reached. Look at the intervals, not at
# the points: sixteen blocks are few, so they are wide, and an honest sentence about this
# search has one in it.
show("statistics")

# %%
# Would another five searches vote the same? The next figure asks it of fewer: how often
# does a vote of two, three or four of these runs give what all five gave? Where the
# line is still climbing at its end, run more searches.
show("enough")

# %%
# A tie is no vote. Had there been four searches, one block would stand two against two,
# and there would be no vote to train until a rule breaks the tie; the report then says
# which blocks it decided. Here the rule is the order in which the paper lists the
# contexts. Where the runs have histories, take ``ties="probability"``: what was more
# probable when the searches ended.
four = reliability(genotypes[:4])
print("tied:", four.tied, "consensus:", four.consensus)

decided = reliability(genotypes[:4], ties="order").consensus
print("by order:", {block: decided[block] for block in four.tied})

# %%
# And what no report can say: whether the vote is right. Runs that agree show that the
# search repeats itself. Train the voted network, and the one without contexts, with
# several seeds each, and put them into one table::
#
#     nas-ctx train train.yaml --set model.blocks=report/consensus.json --set seed=0
#     nas-ctx table runs/*
