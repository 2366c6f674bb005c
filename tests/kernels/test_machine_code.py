"""Main loops found in machine code: planted text, in the form that nvdisasm prints."""

from __future__ import annotations

import pytest
from tunebench.kernels.machine_code import Loop, main_loops


def code(*lines: str) -> str:
    """Instructions and labels (with a colon at their end) as the disassembler prints them."""
    printed, address = ["\t.section\t.text.kernel", "kernel:"], 0
    for line in lines:
        if line.endswith(":"):
            printed.append(line)
        else:
            printed.append(f"        /*{address:04x}*/              {line:>30} ;")
            address += 16
    return "\n".join(printed)


MATRIX = "HMMA.16816.F32.BF16 R4, R8, R12, R4"
ADD = "IADD3 R1, R1, 0x1, RZ"


def test_a_loop_is_all_from_its_label_to_the_branch_back_both_included():
    text = code(
        ADD, ".L_x_1:", ADD, MATRIX, "FFMA R1, R2, R3, R4", "@P0 BRA `(.L_x_1)", ADD, "EXIT"
    )
    assert main_loops(text) == [Loop(4, 1)]


def test_loops_without_matrix_instructions_are_none():
    text = code(
        ".L_x_1:", ADD, "@!P0 BRA `(.L_x_1)", MATRIX, ".L_x_2:", "BRA `(.L_x_2)", ADD,
    )  # fmt: skip
    assert main_loops(text) == []


def test_of_nested_loops_the_smallest_with_matrix_instructions_counts():
    text = code(
        ".L_x_1:", ADD, ".L_x_2:", MATRIX, "@P0 BRA `(.L_x_2)", ADD,
        ".L_x_3:", MATRIX, MATRIX, ADD, "@P1 BRA `(.L_x_3)", "@P2 BRA `(.L_x_1)",
    )  # fmt: skip
    assert main_loops(text) == [Loop(2, 1), Loop(4, 2)]


def test_a_small_loop_without_matrix_instructions_belongs_to_the_one_around_it():
    text = code(
        ".L_x_1:", MATRIX, ".L_x_2:", ADD, "@P0 BRA `(.L_x_2)", ADD, "@P1 BRA `(.L_x_1)",
    )  # fmt: skip
    assert main_loops(text) == [Loop(5, 1)]


def test_the_last_of_several_branches_back_ends_a_loop():
    text = code(
        ".L_x_1:", ADD, "@P0 BRA `(.L_x_1)", MATRIX, "@P1 BRA `(.L_x_1)", ADD, "BRA `(.L_x_1)", ADD,
    )  # fmt: skip
    assert main_loops(text) == [Loop(6, 1)]


def test_predicated_branches_ahead_and_out_end_no_loop():
    text = code(
        "@P3 BRA `(.L_x_9)", ".L_x_1:", "@!P0 BRA `(.L_x_2)", MATRIX, ".L_x_2:",
        "@P1 BRA `(.L_x_9)", "@!UP2 BRA.U `(.L_x_1)", ".L_x_9:", "EXIT",
    )  # fmt: skip
    assert main_loops(text) == [Loop(4, 1)]


def test_names_of_labels_in_other_instructions_lead_nowhere():
    text = code(
        ".L_x_1:", MATRIX, "BSSY B0, `(.L_x_1)", "CALL.REL.NOINC `(.L_x_1)", "WARPSYNC.ALL",
    )  # fmt: skip
    assert main_loops(text) == []


@pytest.mark.parametrize(
    "opcode", ["HGMMA.64x64x16.F32.BF16 R24, gdesc[UR4], R24", "IMMA.16832.S8.S8 R4, R8, R12, R4"]
)
def test_products_of_other_generations_count(opcode):
    text = code(".L_x_1:", f"@P4 {opcode}", "FMNMX R1, R2, R3, !PT", "@P0 BRA `(.L_x_1)")
    assert main_loops(text) == [Loop(3, 1)]


def test_text_without_instructions_and_overlapping_loops_are_refused():
    with pytest.raises(ValueError, match="no instruction"):
        main_loops("\t.section\t.text.kernel\n")
    text = code(
        ".L_x_1:", MATRIX, ".L_x_2:", MATRIX, "@P0 BRA `(.L_x_1)", MATRIX, "@P1 BRA `(.L_x_2)",
    )  # fmt: skip
    with pytest.raises(ValueError, match="overlap"):
        main_loops(text)
    # One instruction in common is enough: here the branch that ends the first.
    text = code(".L_x_1:", MATRIX, ".L_x_2:", "@P0 BRA `(.L_x_1)", MATRIX, "@P1 BRA `(.L_x_2)")
    with pytest.raises(ValueError, match="overlap"):
        main_loops(text)
