"""One vocabulary: every name once, every task a pack, and strangers known as such."""

import pytest

from assurance.evidence.errors import InvalidInput
from monitoring.intake.image_quality import COLUMNS
from monitoring.signal_packs import GROUPS, OUTPUTS, QUALITY, entry_of, pack


@pytest.mark.parametrize("task", list(OUTPUTS))
def test_a_task_has_signals_of_every_group_and_no_name_twice(task):
    signals = pack(task)
    assert {signal.group for signal in signals} == set(GROUPS)
    names = [signal.name for signal in signals]
    assert len(set(names)) == len(names)
    assert all(signal.title and signal.unit for signal in signals)


def test_the_quality_panel_has_the_names_of_the_vocabulary():
    assert {signal.name for signal in QUALITY} == set(COLUMNS)


def test_columns_are_found_by_name_and_strangers_are_none():
    assert entry_of("score_pneumonia").bounds == (0.0, 1.0)
    assert entry_of("meta_kvp").unit == "kV"
    assert entry_of("shoe_size") is None
    with pytest.raises(InvalidInput, match="choose one of classification"):
        pack("astrology")
