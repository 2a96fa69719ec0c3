"""Classifiers and segmenters of planes or volumes whose input is told by a :class:`Description`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from assurance.adapters.description import Description
from assurance.adapters.images import Volume, checked_plane, checked_volume, turn
from assurance.adapters.protocol import Contract, LoadedModel, Prediction, Prompt, within_memory
from assurance.evidence.errors import InvalidInput, NotComputable


class DescribedModel(LoadedModel):
    """``forward`` gives logits (B, classes), or (B, classes, ...) on the grid of the input."""

    def __init__(
        self, network: torch.nn.Module, description: Description, *, weights_sha256: str, device: str = "cpu"
    ) -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.description = description
        self.task = description.task  # type: ignore[misc]
        self.licence = description.licence  # type: ignore[misc]
        self.source = description.source  # type: ignore[misc]
        self.input_kind = "plane" if description.dims == 2 else "volume"  # type: ignore[misc]
        self.black = (0 - description.mean[0]) / description.sd[0]

    @property
    def contract(self) -> Contract:
        description = self.description
        what = "over " + ", ".join(description.classes)
        grid = "" if description.task == "classification" else " by pixel" if description.dims == 2 else " by voxel"
        return Contract(
            inputs=description.sentence(),
            outputs=f"{'probability' if description.activation == 'none' else description.activation} {what}{grid}",
            input_shape=(description.channels, *(description.size or (0,) * description.dims)),
            classes=description.classes,
            spacing_mm=description.spacing_mm,
            output_unit="probability" if description.activation == "none" else "logit",
        )

    def prepare(self, image: Any) -> torch.Tensor:
        """(1, C, ...) on the model's device; 0 in ``contract.input_shape`` means: as large as the image."""
        if self.description.dims == 2:
            tensor = torch.from_numpy(self.description.scaled(checked_plane(image)))[None, None]
        else:
            tensor = self._volume(checked_volume(image))
        if self.description.size and tensor.shape[2:] != self.description.size:
            tensor = resized(tensor, self.description.size)
        channels = self.description.channels
        tensor = tensor.expand(1, channels, *tensor.shape[2:])
        view = (1, -1) + (1,) * self.description.dims
        mean, sd = (torch.tensor(values).view(view) for values in (self.description.mean, self.description.sd))
        return self._padded((tensor - mean) / sd).to(self.device)

    def _volume(self, volume: Volume) -> torch.Tensor:
        turned = volume.turned(self.description.axes)
        tensor = torch.from_numpy(np.ascontiguousarray(self.description.scaled(turned.array)))[None, None]
        if self.description.spacing_mm and not self.description.size:
            shape = self._resampled_shape(turned)
            if shape != turned.array.shape:
                tensor = resized(tensor, shape)
        return tensor

    def _resampled_shape(self, turned: Volume) -> tuple[int, ...]:
        spacing = turned.spacing_mm or (1.0, 1.0, 1.0)
        return tuple(
            max(round(length * step / wanted), 1)
            for length, step, wanted in zip(turned.array.shape, spacing, self.description.spacing_mm, strict=True)
        )

    def _padded(self, tensor: torch.Tensor) -> torch.Tensor:
        multiple = self.description.multiple_of
        pads = [pad for length in reversed(tensor.shape[2:]) for pad in (0, -length % multiple)]
        return F.pad(tensor, pads, value=self.black) if any(pads) else tensor.contiguous()

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return self.network(inputs)

    def whole(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        """Windows that overlap by a quarter, weighted towards their middle, where the image is larger than one."""
        window = self.description.tile
        if not window or all(side <= least for side, least in zip(inputs.shape[2:], window, strict=True)):
            return self.answer(inputs, prompt)
        from monai.inferers.utils import sliding_window_inference

        found: Any = sliding_window_inference(
            inputs, window, sw_batch_size=1, predictor=self.answer, overlap=0.25, mode="gaussian"
        )
        return found  # type: ignore[no-any-return]

    @within_memory
    @torch.inference_mode()
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        logits = self.whole(self.prepare(image))
        if logits.shape[1] != len(self.description.classes):
            raise InvalidInput(
                "other_model",
                f"the network gives {logits.shape[1]} outputs, its description names {len(self.description.classes)}",
            )
        if not logits.isfinite().all():
            raise NotComputable("not_finite", f"{self.key} gave outputs that are not finite on this image")
        if self.task == "classification":
            activation = {"softmax": lambda: logits.softmax(dim=1), "sigmoid": logits.sigmoid, "none": lambda: logits}
            shares = activation[self.description.activation]()[0]
            return Prediction(
                scores={name: float(share) for name, share in zip(self.description.classes, shares, strict=True)}
            )
        return self._segmentation(logits, image)

    def _segmentation(self, logits: torch.Tensor, image: Any) -> Prediction:
        """Class by voxel: the largest logit; where classes may overlap, the mask is that of any class."""
        planes = [self._on_given(channel, image) for channel in logits[0]]
        level = 0.5 if self.description.activation == "none" else 0.0
        if len(planes) == 1:
            return Prediction(mask=(planes[0] > level).numpy(), logits=planes[0].numpy())
        stack = torch.stack(planes)
        if self.description.activation != "sigmoid":
            labels = stack.argmax(dim=0)
            return Prediction(labels=labels.to(torch.int16).numpy(), mask=(labels > 0).numpy())
        return Prediction(mask=(stack > 0).any(dim=0).numpy(), logits=stack.numpy())

    def _on_given(self, grid: torch.Tensor, image: Any) -> torch.Tensor:
        if isinstance(image, Volume):
            return self.to_volume(grid, image).float().cpu()
        return self.to_image(grid, np.asarray(image).shape[:2]).float().cpu()

    def to_image(self, grid: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        if not self.description.size:
            return grid[: shape[0], : shape[1]]
        return super().to_image(grid, shape)

    def to_volume(self, grid: torch.Tensor, volume: Volume) -> torch.Tensor:
        turned = volume.turned(self.description.axes)
        shape = tuple(turned.array.shape)
        if not self.description.size:
            inner = self._resampled_shape(turned) if self.description.spacing_mm else shape
            grid = grid[tuple(slice(length) for length in inner)]
        if tuple(grid.shape) != shape:
            grid = resized(grid[None, None], shape)[0, 0]
        order, flips = turn(self.description.axes, volume.axes)
        grid = grid.permute(order)
        return grid.flip([axis for axis, flip in enumerate(flips) if flip])


def resized(tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Linear interpolation; planes that shrink are smoothed first (antialiased), which torch has for planes only."""
    if len(shape) == 2:
        return F.interpolate(tensor, size=shape, mode="bilinear", align_corners=False, antialias=True)
    return F.interpolate(tensor, size=shape, mode="trilinear", align_corners=False)
