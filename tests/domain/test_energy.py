import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.energy import (
    NOT_READ,
    CountedEnergy,
    Energy,
    EnergyPart,
    counted_energy,
    energy_notes,
)

COUNTED = CountedEnergy(
    joules_of={EnergyPart.PACKAGES: 5.0, EnergyPart.MEMORY: 1.0, EnergyPart.PLATFORM: 20.0},
    source="rapl",
    coverage="CPU packages of 1 of 1 node",
    block_joules=(4.0, 2.0),
    block_steps=(10, 5),
)


def test_the_platform_holds_the_packages_and_is_not_added() -> None:
    assert COUNTED.joules == 6.0


@given(
    blocks=st.lists(st.tuples(st.floats(1e-6, 1e9), st.integers(1, 10**6)), min_size=1, max_size=60),
    share=st.floats(0.01, 0.99),
)
def test_every_counted_energy_comes_back_equal_from_its_notes(
    blocks: list[tuple[float, int]], share: float
) -> None:
    total = sum(joules for joules, _ in blocks)
    counted = CountedEnergy(
        joules_of={EnergyPart.PACKAGES: share * total, EnergyPart.GPUS: (1 - share) * total},
        source="nvml_counter+rapl",
        coverage="all of it",
        block_joules=tuple(joules for joules, _ in blocks),
        block_steps=tuple(steps for _, steps in blocks),
    )
    notes = json.loads(json.dumps(energy_notes(counted)))
    assert counted_energy(notes) == counted


def test_a_reason_comes_back_as_a_reason() -> None:
    assert counted_energy(energy_notes("permission denied")) == "permission denied"


def test_a_record_of_before_has_no_energy_and_says_why() -> None:
    assert counted_energy({"peak_memory_bytes": "10"}) == NOT_READ


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("energy_joules", "6.1"),
        ("energy_joules", "nan"),
        ("energy_joules", "a lot"),
        ("energy_joules_packages", "inf"),
        ("energy_joules_packages", "-5.0"),
        ("energy_joules_memory", "2.0"),
        ("energy_block_joules", "4.0 -2.0"),
        ("energy_block_joules", "4.0"),
        ("energy_block_joules", "nan nan"),
        ("energy_block_steps", "10 0"),
        ("energy_block_steps", "10 5.5"),
        ("energy_block_steps", ""),
    ],
)
def test_notes_that_contradict_themselves_are_no_number(name: str, text: str) -> None:
    found = counted_energy({**energy_notes(COUNTED), name: text})
    assert isinstance(found, str)
    assert "contradicts itself" in found


@pytest.mark.parametrize("name", ["energy_source", "energy_coverage", "energy_block_joules"])
def test_a_missing_note_is_no_number(name: str) -> None:
    notes = energy_notes(COUNTED)
    del notes[name]
    assert "contradicts itself" in str(counted_energy(notes))


@given(
    name=st.sampled_from(sorted(energy_notes(COUNTED))),
    text=st.text(max_size=40) | st.integers().map(str) | st.floats().map(repr) | st.just("9" * 4200),
)
def test_no_edited_note_ever_raises_or_gives_an_impossible_number(name: str, text: str) -> None:
    found = counted_energy({**energy_notes(COUNTED), name: text})
    assert isinstance(found, str) or 1e-6 <= found.joules <= 1e15


@pytest.mark.parametrize("joules", ["1e308", "5e-324", "1e16", "0.0"])
def test_energies_beyond_any_machine_are_no_number(joules: str) -> None:
    notes = {name: joules if "joules" in name else text for name, text in energy_notes(COUNTED).items()}
    assert isinstance(counted_energy({**notes, "energy_block_steps": "15"}), str)


def test_the_platform_alone_is_no_energy() -> None:
    with pytest.raises(ValueError, match="impossible"):
        CountedEnergy(
            joules_of={EnergyPart.PLATFORM: 5.0},
            source="rapl",
            coverage="",
            block_joules=(5.0,),
            block_steps=(1,),
        )


def test_without_an_interval_the_mean_is_the_value() -> None:
    energy = Energy(
        joules=6.0,
        num_samples=30,
        num_blocks=2,
        joules_per_sample=None,
        joules_of=COUNTED.joules_of,
        source="rapl",
        coverage="",
    )
    assert energy.best_joules_per_sample == energy.mean_joules_per_sample == 0.2
    assert energy.parts == (EnergyPart.PACKAGES, EnergyPart.MEMORY)
