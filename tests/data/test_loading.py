"""Reading, batches, their order, and what damaged files say."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from nas_ctx.data import NYUD, DataModule
from nas_ctx.data.base import Draw
from nas_ctx.data.loading import parts
from nas_ctx.errors import InputError
from nas_ctx.tasks import make_tasks
from nas_ctx.testing import check_dataset

SIZE = (48, 64)


def module(rooms, tasks, **changes):
    return DataModule("nyud", rooms, tasks, SIZE, **{"batch_size": 2, "eval_batch_size": 2, **changes})


def equal(one, two):
    return one.keys() == two.keys() and all(
        torch.equal(one[key], two[key]) if isinstance(one[key], torch.Tensor) else one[key] == two[key] for key in one
    )


def test_does_what_every_data_set_must(rooms, tasks):
    check_dataset("nyud", rooms, tasks)


def test_files_are_read_as_the_layout_says(rooms, tasks):
    sample = NYUD(rooms, "train", tasks)[0]
    name = (rooms / "gt_sets/train.txt").read_text().split()[0]
    assert sample["id"] == name
    stored = np.array(Image.open(rooms / f"segmentation/{name}.png")).astype(int)
    np.testing.assert_array_equal(sample["semseg"], np.where(stored == 0, 255, stored - 1))
    for task in ("depth", "normals", "edge"):
        np.testing.assert_array_equal(sample[task], np.load(rooms / task / f"{name}.npy"))
        assert sample[task].dtype == np.float32


def test_crops_are_chosen_by_classes_also_where_they_are_no_task(rooms, tasks, tmp_path):
    """The same windows as of a network that learns the classes too; without their files, the first ones."""
    alone = {"depth": tasks["depth"]}
    both, single = (module(rooms, of).train_set() for of in (tasks, alone))
    shutil.copytree(rooms, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "segmentation")
    blind = module(tmp_path / "data", alone).train_set()
    same = []
    for epoch, index in itertools.product(range(20), range(len(both))):
        draw = Draw(epoch, index)
        assert torch.equal(single[draw]["depth"], both[draw]["depth"])
        assert "semseg" not in single[draw]
        same.append(torch.equal(single[draw]["depth"], blind[draw]["depth"]))
    assert 0 < sum(same) < len(same)


def test_batches_have_the_agreed_layout(rooms, tasks):
    batch = next(iter(module(rooms, tasks).train_dataloader()))
    assert isinstance(batch["id"], list)
    assert len(batch["id"]) == 2
    assert batch["image"].shape == (2, 3, *SIZE)
    assert batch["image"].dtype == torch.float32
    assert batch["semseg"].shape == (2, *SIZE)
    assert batch["semseg"].dtype == torch.int64
    assert batch["depth"].shape == batch["edge"].shape == (2, 1, *SIZE)
    assert batch["normals"].shape == (2, 3, *SIZE)
    for name, task in tasks.items():
        logits = torch.randn(2, task.channels, *SIZE)
        assert torch.isfinite(task.loss(logits, batch[name]))
        assert int(task.partition(batch[name])[task.partition(batch[name]) != 255].max()) < task.regions


def test_batches_do_not_depend_on_the_number_of_workers(rooms, tasks):
    alone = list(module(rooms, tasks, seed=3).train_dataloader())
    helped = list(module(rooms, tasks, seed=3, workers=2).train_dataloader())
    assert len(alone) == 3
    assert all(equal(one, two) for one, two in zip(alone, helped, strict=True))


def test_epochs_differ_and_come_back(rooms, tasks):
    loader = module(rooms, tasks).train_dataloader()
    first, second = [[batch["id"] for batch in loader] for _ in range(2)]
    assert first != second
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second))
    loader.load_state_dict({"position": 0})
    assert [batch["id"] for batch in loader] == first


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_inside_an_epoch(rooms, tasks, workers):
    whole = module(rooms, tasks, workers=workers).train_dataloader()
    batches = list(whole) + list(whole)
    stopped = module(rooms, tasks).train_dataloader()
    running = iter(stopped)
    next(running), next(running)
    resumed = module(rooms, tasks, workers=workers).train_dataloader()
    resumed.load_state_dict(stopped.state_dict())
    rest = list(resumed) + list(resumed)
    assert len(rest) == 6  # an iteration is an epoch's number of batches, wherever it starts
    assert all(equal(one, two) for one, two in zip(rest, batches[2:], strict=False))


class Recorder(pl.LightningModule):
    """Trains one number and keeps which images it saw."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[str]] = []

    def training_step(self, batch, _):
        self.seen.append(batch["id"] + [f"{float(batch['image'].sum()):.3f}"])
        return self.weight * 0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_a_resumed_lightning_run_sees_the_same_batches(rooms, tasks, tmp_path):
    def fit(steps, resume=None):
        trainer = pl.Trainer(
            max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
        )  # fmt: skip
        recorder = Recorder()
        trainer.fit(recorder, datamodule=module(rooms, tasks, seed=1), ckpt_path=resume)
        trainer.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return recorder.seen

    whole = fit(8)
    for stop in (2, 3, 5):
        assert fit(stop) == whole[:stop]
        assert fit(8, tmp_path / f"{stop}.ckpt") == whole[stop:]


def test_validation_is_in_order_and_whole(rooms, tasks):
    loader = module(rooms, tasks).val_dataloader()
    seen = [name for batch in loader for name in batch["id"]]
    assert seen == (rooms / "gt_sets/val.txt").read_text().split()
    again = list(loader)
    assert [len(batch["id"]) for batch in again] == [2, 1]


def test_limits_take_the_first_ids(rooms, tasks):
    limited = module(rooms, tasks, limit_train=2, limit_val=1, augment=False)
    assert limited.train_set().ids == ["train_00000", "train_00001"]
    assert limited.val_set().ids == ["val_00000"]
    assert set(next(iter(limited.train_dataloader()))["id"]) == {"train_00000", "train_00001"}
    with pytest.raises(InputError, match="1 training images are fewer than batch_size 2"):
        module(rooms, tasks, limit_train=1).train_dataloader()


def test_held_out_images_are_validated_on_and_not_trained_on(rooms, tasks):
    whole = module(rooms, tasks).train_set().ids
    held = module(rooms, tasks, holdout=0.4, seed=5, augment=False, batch_size=1)
    assert sorted(held.train_set().ids + held.val_set().ids) == whole
    assert len(held.val_set().ids) == round(0.4 * len(whole))
    assert held.val_set().ids == module(rooms, tasks, holdout=0.4).val_set().ids
    assert {name for batch in held.val_dataloader() for name in batch["id"]} == set(held.val_set().ids)
    assert not set(held.train_set().ids) & set(held.val_set().ids)


@pytest.fixture
def copy(rooms, tmp_path):
    return shutil.copytree(rooms, tmp_path / "copy")


def test_a_missing_folder_matters_only_to_its_task(copy, tasks):
    shutil.rmtree(copy / "normals")
    rest = {name: task for name, task in tasks.items() if name != "normals"}
    assert "normals" not in next(iter(module(copy, rest).train_dataloader()))
    with pytest.raises(InputError, match="normals: no such folder, task 'normals' needs its labels"):
        NYUD(copy, "train", tasks)


DAMAGE = {
    "cut image": ("images/{}.jpg", lambda path: path.write_bytes(path.read_bytes()[:300]), "damaged"),
    "empty image": ("images/{}.jpg", lambda path: path.write_bytes(b""), "damaged"),
    "missing image": ("images/{}.jpg", lambda path: path.unlink(), "no such file"),
    "link to nothing": (
        "segmentation/{}.png", lambda path: (path.unlink(), path.symlink_to("nowhere")), "is a link to nothing"
    ),
    "coloured label": (
        "segmentation/{}.png", lambda path: Image.new("RGB", SIZE[::-1]).save(path), "pixel mode RGB, expected one"
    ),
    "cut array": ("depth/{}.npy", lambda path: path.write_bytes(path.read_bytes()[:500]), "damaged"),
    "text for an array": ("depth/{}.npy", lambda path: path.write_text("no array"), "damaged"),
    "pickled array": ("edge/{}.npy", lambda path: np.save(path, np.array([{}])), "damaged"),
    "flat normals": ("normals/{}.npy", lambda path: np.save(path, np.zeros(SIZE)), "expected H x W x 3 numbers"),
    "small depth": ("depth/{}.npy", lambda path: np.save(path, np.ones((4, 5))), "is 4 x 5, its image 48 x 64"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "workers"), [*((kind, 0) for kind in DAMAGE), ("cut image", 1), ("small depth", 2)])
def test_damaged_files_give_one_line_that_names_them(copy, tasks, kind, workers):
    pattern, damage, message = DAMAGE[kind]
    name = "val_00001"
    path = copy / pattern.format(name)
    damage(path)
    with pytest.raises(InputError, match=message) as caught:
        list(module(copy, tasks, workers=workers).val_dataloader())
    assert type(caught.value) is InputError
    text = str(caught.value)
    assert name in text
    assert "Traceback" not in text
    assert "\n" not in text


def test_classes_that_the_task_does_not_have_are_refused(rooms):
    few = make_tasks({"semseg": {"classes": 3}})
    with pytest.raises(InputError, match=r"'val_0000\d': semseg label holds \d+; expected 1\.\.3, and 0 for ignored"):
        list(module(rooms, few).val_dataloader())


def test_not_finite_values_are_invalid(copy, tasks):
    depth = np.load(copy / "depth/val_00000.npy")
    depth[0, 0], depth[0, 1] = np.nan, np.inf
    np.save(copy / "depth/val_00000.npy", depth)
    label = next(iter(module(copy, tasks).val_dataloader()))["depth"][0, 0]
    assert label[0, 0] == label[0, 1] == 255
    assert torch.isfinite(label).all()


def test_wrong_names_and_places_are_refused(rooms, tasks, tmp_path):
    with pytest.raises(InputError, match="unknown data set 'nyu'; known: nyud"):
        DataModule("nyu", rooms, tasks, SIZE)
    with pytest.raises(InputError, match="no such folder"):
        NYUD(tmp_path / "none", "train", tasks)
    with pytest.raises(InputError, match=r"gt_sets/train\.txt: no such file"):
        NYUD(tmp_path, "train", tasks)
    with pytest.raises(InputError, match="unknown label of the nyud layout 'saliency'; known: depth"):
        NYUD(rooms, "train", {"saliency": ...})
    (tmp_path / "gt_sets").mkdir()
    (tmp_path / "gt_sets/train.txt").write_text("\n")
    with pytest.raises(InputError, match=r"train\.txt: lists no ids"):
        NYUD(tmp_path, "train", {})


def test_pictures_of_several_sizes_make_batches_of_one_size_each(copy, tasks):
    only = {"depth": tasks["depth"]}
    Image.new("RGB", (70, 50)).save(copy / "images/val_00001.jpg")
    np.save(copy / "depth/val_00001.npy", np.ones((50, 70), np.float32))
    (batch,) = module(copy, only, eval_batch_size=3).val_dataloader()
    assert [part["id"] for part in parts(batch)] == [["val_00000", "val_00002"], ["val_00001"]]
    assert [tuple(part["depth"].shape) for part in parts(batch)] == [(2, 1, 48, 64), (1, 1, 50, 70)]
    wide = DataModule("nyud", copy, only, (50, 70), batch_size=2, eval_batch_size=3)
    assert next(iter(wide.val_dataloader()))["depth"].shape == (3, 1, 50, 70)


def test_whole_pictures_of_several_sizes_are_no_batch_to_train_on(copy, tasks):
    only = {"depth": tasks["depth"]}
    Image.new("RGB", (70, 50)).save(copy / "images/train_00001.jpg")
    np.save(copy / "depth/train_00001.npy", np.ones((50, 70), np.float32))
    with pytest.raises(InputError, match=r"raise data.image_size to the largest, or set data.batch_size to 1 or"):
        list(module(copy, only, augment=False).train_dataloader())
