"""Wrong calls about images and networks; their texts stand in ``messages.txt``."""

from unittest.mock import patch

import numpy as np
import torch

import phimaps as pm
from phimaps.maps import precision

from .message_rows import W, X, fitted, images, missing, unit

TABLE = {}

edges = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]])
grey = np.arange(24.0).reshape(2, 1, 3, 4)

TABLE |= {
    "rows sent back": lambda: pm.cnn.deconvnet(edges, [1.0, 2.0], 0),
    "NaN in what is sent back": lambda: pm.cnn.gradient(edges, [[[1.0, np.nan]]], 0),
    "no such unit to send back": lambda: pm.cnn.guided_backprop(edges, grey, (1, 0, 0)),
    "no seed": lambda: pm.cnn.deconvnet(edges, grey, 0, seed="one"),
    "no way back": lambda: pm.cnn.gradient(pm.from_function(torch.Tensor.detach), grey, 0),
    "a transformer on the way back": lambda: pm.cnn.gradient(
        pm.Flatten() @ pm.Standardize(), grey, 0
    ),
    "a value written over before the way back": lambda: pm.cnn.gradient(
        pm.from_function(lambda x: (a := x.sigmoid()) * a.mul_(2)), grey, 0
    ),
    "no map to cover for": lambda: pm.cnn.occlusion(3, grey, 0),
    "a large window": lambda: pm.cnn.occlusion(edges, grey, 0, window=5),
    "no window": lambda: pm.cnn.occlusion(edges, grey, 0, window=0),
    "no stride": lambda: pm.cnn.occlusion(edges, grey, 0, window=2, stride=(1, 0.5)),
    "no cover": lambda: pm.cnn.occlusion(edges, grey, 0, window=2, fill="black"),
    "a cover of two channels": lambda: pm.cnn.occlusion(edges, grey, 0, window=2, fill=[1, 2, 3]),
    "no patches": lambda: pm.cnn.top_patches(edges, grey, 0, k=0),
    "no patches of an image": lambda: pm.cnn.top_patches(edges, grey, 0, per_image=1.5),
    "patches of no channel": lambda: pm.cnn.top_patches(edges, grey, 1),
    "patches of no unit": lambda: pm.cnn.top_patches(edges, grey, (0, 0, 3)),
    "patches of nothing": lambda: pm.cnn.top_patches(edges, 3, 0),
    "patches of rows": lambda: pm.cnn.top_patches(edges, [np.ones(3)], 0),
    "patches of NaN": lambda: pm.cnn.top_patches(pm.from_function(lambda x: x / 0 * 0), grey, 0),
}


class Items(torch.utils.data.Dataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Flowing(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(X)


def computed_in(name, instructions, factor):
    with (
        patch.object(precision, "_has_instructions", lambda dtype: instructions),
        patch.object(precision, "_times_as_long", lambda dtype: factor),
    ):
        precision.computing(name, torch.device("cpu"))


TABLE |= {
    "bad cache size": lambda: pm.set_config(cache_bytes=-1),
    "no such precision": lambda: precision.computing("half", torch.device("cpu")),
    "a precision without instructions": lambda: computed_in("bfloat16", False, 0.5),
    "a precision that is slower": lambda: computed_in("float16", True, 25.0),
    "a precision of an unknown device": lambda: precision.computing(
        "bfloat16", torch.device("meta")
    ),
    "items of two shapes": lambda: pm.Standardize().fit(Items(X[0], X[0, :2])),
    "batches of two shapes": lambda: pm.Standardize().fit(
        torch.utils.data.DataLoader(Items(X, X[:, :2]), batch_size=None)
    ),
    "an item without numbers": lambda: fitted().transform(Items(("cat.jpg", 1))),
    "an item with other names": lambda: fitted().transform(Items({"pixels": X[0], "label": 1})),
    "a data set without items": lambda: fitted().transform(Items()),
    "a data set of NaN": lambda: fitted().transform(Items(*missing)),
    "too many rows for an output": lambda: fitted().transform(Flowing(), out=np.zeros((3, 3))),
    "too few rows for an output": lambda: fitted().transform(Flowing(), out=np.zeros((9, 3))),
}


def only_squares(x):
    raise RuntimeError("the image is not square")


TABLE |= {
    "the field in unknown images": lambda: pm.cnn.receptive_field(edges, 0),
    "the field in no images": lambda: pm.cnn.receptive_field(edges, 0, (1, 0, 4)),
    "a field by no method": lambda: pm.cnn.receptive_field(edges, 0, (1, 3, 4), method="nan"),
    "the field of no unit": lambda: pm.cnn.receptive_field(edges, (0, 0, 3), (1, 3, 4)),
    "a field in rows": lambda: pm.cnn.receptive_field(pm.Affine(W), 0, (1, 3, 4)),
    "a field in what a function does not take": lambda: pm.cnn.receptive_field(
        pm.from_function(only_squares), 0, (1, 3, 4)
    ),
    "the field of a unit that is NaN": lambda: pm.cnn.receptive_field(
        pm.from_function(lambda x: x / 0 * 0), 0, (1, 3, 4), method="probe"
    ),
    "no share of an effective field": lambda: pm.cnn.effective_field(edges, 0, grey, share=95),
    "the effective field of no unit": lambda: pm.cnn.effective_field(edges, (0, 0, 3), grey),
    "an effective field without gradient": lambda: pm.cnn.effective_field(
        pm.from_function(torch.Tensor.detach), 0, grey
    ),
}

TABLE |= {
    "more clusters than patches": lambda: pm.PatchKMeansConv2d(9, (2, 5)).fit(images),
    "another bias for filters behind contrast": lambda: pm.NormalizedConv2d(
        np.ones((2, 3, 2, 2)), [1.0]
    ).fit(images),
    "no contrast to keep flat": lambda: pm.NormalizedConv2d(np.ones((2, 3, 2, 2)), eps=0.0).fit(
        images
    ),
    "another number of channels for centres": lambda: pm.Distances2d(np.ones((4, 2))).fit(images),
    "centres that are none": lambda: pm.Distances2d([1.0, 2.0]).fit(images),
}

TABLE |= {
    "an image out of bounds": lambda: pm.cnn.collide(edges, grey[:1]),
    "two images to collide": lambda: pm.cnn.collide(edges, grey / 24),
    "a target of another shape": lambda: pm.cnn.collide(edges, grey[0] / 24, toward=grey[0, :, 1:]),
    "features of another image": lambda: pm.cnn.invert(edges, np.ones(3), (1, 3, 4)),
    "features that no image has": lambda: pm.cnn.invert(edges, -np.ones((1, 3, 3))),
    "features of an image of unknown size": lambda: pm.cnn.invert(edges, np.ones(9)),
    "an explorer of nothing": lambda: pm.cnn.explorer(3, grey),
    "an explorer of rows": lambda: pm.cnn.explorer(edges, np.ones(3)),
    "an explorer of no image": lambda: pm.cnn.explorer(edges, grey, shown=0),
    "an explorer of half a unit": lambda: pm.cnn.explorer(edges, grey, units=0.5),
    "an explorer of NaN": lambda: pm.cnn.explorer(edges, grey * np.nan),
    "too few names": lambda: pm.cnn.explorer(edges, grey, names=[]),
    "an explorer of no such layer": lambda: pm.cnn.explorer(edges, grey, layers=["a7"]),
    "no filters": lambda: pm.cnn.plot_filters(pm.Relu()),
    "filters of no such layer": lambda: pm.cnn.plot_filters(edges, "conv1"),
    "a plot of two images": lambda: pm.cnn.plot_maps(edges, np.zeros((2, 1, 4, 4))),
    "a plot of no channels": lambda: pm.cnn.plot_maps(edges, grey, channels=0),
}

TABLE |= {
    "no such stage": lambda: pm.cnn.trace(edges, grey)["a2"],
    "no such rectified layer": lambda: pm.cnn.units(edges, grey)["rulu"],
    "units of nothing rectified": lambda: pm.cnn.units(edges.maps[0], grey),
    "units of an image with NaN": lambda: pm.cnn.units(edges, [[[[1.0, np.nan]]]]),
    "units on another space": lambda: pm.cnn.units(edges, grey, on=unit),
    "units on no space": lambda: pm.cnn.units(edges, grey, on=(0, 1)),
}
