"""Augmentation changes only what it says, by numbers of one generator only."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.workflow.data.augmentation import Changes, augment
from tests.workflow.pictures import gradient

NONE: dict[str, Any] = {"flip": False, "crop": 0, "rotate": 0.0, "color": 0.0}
CHANGES = st.builds(
    Changes,
    flip=st.booleans(),
    crop=st.integers(0, 3),
    rotate=st.sampled_from([0.0, 15.0, 180.0]),
    color=st.sampled_from([0.0, 0.3, 1.0]),
)


def photos(count: int, height: int = 12, width: int = 8, channels: int = 3) -> torch.Tensor:
    one = torch.from_numpy(np.asarray(gradient(height, width)).copy()).permute(2, 0, 1)[:channels]
    return one.repeat(count, 1, 1, 1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(CHANGES, st.integers(1, 5), st.integers(4, 9), st.integers(4, 9), st.sampled_from([1, 3]), st.integers(0, 99))
def test_laws(changes: Changes, count: int, height: int, width: int, channels: int, seed: int) -> None:
    batch = torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator(seed))
    before, state = batch.clone(), torch.get_rng_state()
    once, again = augment(changes, batch, generator(seed)), augment(changes, batch, generator(seed))
    assert once.shape == batch.shape and once.dtype is torch.uint8
    assert torch.equal(once, again)
    assert torch.equal(batch, before)
    assert torch.equal(torch.get_rng_state(), state)
    if changes == Changes(**NONE):
        assert once is batch


@given(CHANGES, st.integers(0, 255), st.sampled_from([1, 3]))
def test_an_image_of_one_grey_stays_one(changes: Changes, grey: int, channels: int) -> None:
    batch = torch.full((3, channels, 8, 8), grey, dtype=torch.uint8)
    for each in augment(changes, batch, generator(grey)):
        assert each.float().std(correction=0) == 0
        if not changes.color:
            assert abs(int(each.flatten()[0]) - grey) <= 1


def test_flip_mirrors_half_of_them() -> None:
    batch = photos(400)
    found = augment(Changes(**NONE | {"flip": True}), batch, generator())
    mirrored = (found == batch.flip(3)).flatten(1).all(dim=1)
    assert ((found == batch).flatten(1).all(dim=1) | mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def test_crop_moves_each_by_whole_pixels_and_reflects_what_is_beyond() -> None:
    batch = photos(300)
    found = augment(Changes(**NONE | {"crop": 2}), batch, generator())
    padded = torch.nn.functional.pad(batch.float(), (2, 2, 2, 2), mode="reflect").to(torch.uint8)
    moves = {(y, x): padded[0, :, y : y + 12, x : x + 8] for y in range(5) for x in range(5)}
    seen = [{at for at, each in moves.items() if torch.equal(each, image)} for image in found]
    assert all(seen)
    assert len({min(each) for each in seen}) == 25


@pytest.mark.parametrize("lies", [True, False])
def test_rotate_turns_about_the_centre(lies: bool) -> None:
    batch = torch.zeros(200, 1, 21, 31, dtype=torch.uint8)
    batch[:, :, 10 if lies else slice(None), slice(None) if lies else 15] = 255  # a line through the centre
    found = augment(Changes(**NONE | {"rotate": 30.0}), batch, generator()).float()[:, 0, 1:-1, 6:-6]
    rows, columns = torch.arange(19.0)[:, None] - 9, torch.arange(19.0) - 9
    along, beside = (columns, rows) if lies else (rows, columns)
    spread = (found * along.square()).sum(dim=(1, 2)) - (found * beside.square()).sum(dim=(1, 2))
    angles = torch.atan2(2 * (found * along * beside).sum(dim=(1, 2)), spread).rad2deg() / 2
    assert -31 < angles.min() < -27 and 27 < angles.max() < 31
    assert (found[:, 9, 9] > 200).all()


def test_color_changes_brightness_contrast_and_saturation() -> None:
    dark = torch.full((500, 3, 4, 4), 100, dtype=torch.uint8)
    brightness = augment(Changes(**NONE | {"color": 0.2}), dark, generator())[:, 0, 0, 0]
    assert brightness.min() >= 80 and brightness.max() <= 120 and brightness.unique().numel() > 30
    red = torch.zeros(300, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 150
    found = augment(Changes(**NONE | {"color": 0.5}), red, generator()).float()
    difference = (found[:, 0] - found[:, 1]).mean(dim=(1, 2))  # of red and green: saturation × brightness × contrast
    assert difference.min() < 75 < 200 < difference.max()


@pytest.mark.parametrize("changes", [NONE | {"crop": 1, "rotate": 10.0, "color": 0.3, "flip": True}])
def test_each_image_is_changed_by_numbers_of_its_own(changes: dict[str, Any]) -> None:
    found = augment(Changes(**changes), photos(6), generator())
    assert found.unique(dim=0).shape[0] == 6
