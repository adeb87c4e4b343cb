"""What is refused of networks and their layers, word for word; nothing is changed by it.

The texts stand in ``network_messages.txt``, in the order of the table below.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import phimaps as pm

TEXTS = Path(__file__).with_name("network_messages.txt")
X = np.arange(12.0).reshape(4, 3)


def layer(module=None, x=None, **options):
    torch.manual_seed(0)
    conv, relu = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()
    module = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(4), relu) if module is None else module
    return lambda: pm.from_torch(module, **options)(torch.ones(2, 3, 8, 8) if x is None else x)


class Breaks(torch.nn.Module):
    def forward(self, x):
        raise OSError("the disk is full")


lstm, linear = torch.nn.LSTM(8, 4, batch_first=True), torch.nn.Linear(2, 2)
clipped = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(5, 1))
unused = torch.nn.Sequential(torch.nn.ReLU())
unused[0].extra = linear

TABLE = {
    "no such layer": layer(layer="3"),
    "no such layer, nor one like it": layer(layer="layer4"),
    "a layer that is not called": layer(unused, layer="0.extra"),
    "a call that there is not": layer(layer="2@4"),
    "no layer": layer(layer=[]),
    "a layer twice": layer(layer=["0", "0"]),
    "a layer of no tensor": layer(torch.nn.Sequential(lstm), torch.ones(1, 2, 8), layer="0"),
    "after an activation that does not follow": layer(layer="0", stage="post"),
    "after an activation that there is not": layer(linear, X[:, :2], layer="", stage="post"),
    "before an activation before": layer(
        torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Identity()), layer="1", stage="pre"
    ),
    "an unknown stage": layer(layer="0", stage="z"),
    "a negative call": layer(layer="0", call=-1),
    "an unknown pool": layer(layer="0", pool="mean"),
    "a grid of a vector": layer(linear, torch.ones(2, 2), layer="", pool=("grid", 2, 2)),
    "a mean that is no number": layer(layer="0", mean="imagenet"),
    "a spread of 0": layer(layer="0", std=(0.2, 0.0, 0.2)),
    "means of other channels": layer(layer="0", mean=(0.5, 0.5)),
    "no shape of an image": layer(layer="0", in_shape=(8, 8)),
    "rows of another shape": layer(layer="0", x=torch.ones(2, 100), in_shape=(3, 8, 8)),
    "images of another shape": layer(layer="0", in_shape=(3, 8, 9)),
    "rows for a network": layer(layer="0", x=torch.ones(2, 192)),
    "grey images for a network": layer(layer="0", x=torch.ones(2, 1, 8, 8)),
    "images without channels for a network": layer(layer="0", x=torch.ones(2, 8, 8)),
    "images of another size for a network": layer(clipped, layer="1"),
    "a network that breaks": layer(torch.nn.Sequential(unused, Breaks()), layer="1"),
    "a lazy network": layer(torch.nn.LazyLinear(2), layer=""),
    "a network that joins rows": layer(torch.nn.Flatten(0), layer=""),
}


def sections():
    parts = TEXTS.read_text().split("## ")[1:]
    return dict(part.rstrip("\n").split("\n", 1) for part in parts)


def test_the_table_and_the_texts_are_the_same_cases():
    assert list(sections()) == list(TABLE)


@pytest.mark.parametrize("case", TABLE)
def test_the_message_is_this_one(case):
    with pytest.raises(pm.errors.PhimapsError) as caught:
        TABLE[case]()
    error = caught.value
    assert f"{type(error).__name__}: {error}" == sections()[case]
    what, got, need, do = str(error).split("\n")
    assert what
    assert [line[:8] for line in (got, need, do)] == ["  got:  ", "  need: ", "  do:   "]
    assert all(len(line) > 8 for line in (got, need, do))
    assert isinstance(error, ValueError | TypeError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
