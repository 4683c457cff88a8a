"""Which labels are one choice, which are missing, and what kinds of table are taken or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nas_ctx.analysis import krippendorff_alpha, percentage_agreement
from nas_ctx.errors import InputError

CODES = [[1, 2, 3, 1], [1, 2, 1, 1]]


@pytest.mark.parametrize(
    "same",
    [
        (1, "1"),
        (1, 1.0, "1.0", np.int64(1), np.float32(1), torch.tensor(1), "1e0"),
        (0.5, "0.5", "5e-1"),
        ((1,), 1, [1], ["1"]),
        ((0, 2), ["0", 2.0]),
        ("caf\u00e9", "cafe\u0301", " caf\u00e9 "),
    ],
    ids=str,
)
def test_one_choice_in_several_forms(same):
    assert percentage_agreement([[form, "other"] for form in same]) == 1


@pytest.mark.parametrize("apart", [(1, True), ("1", "true"), ("01", 1), ("local", "Local"), ((0, 2), (2, 0))])
def test_what_stays_apart(apart):
    assert percentage_agreement([[form, "other"] for form in apart]) == 0.5


GAPS = [None, float("nan"), pd.NA, pd.NaT, np.ma.masked, "", "  ", "NA", "NaN", "nan", "N/A", "<NA>"]


@pytest.mark.parametrize("gap", GAPS, ids=repr)
def test_what_r_pandas_and_numpy_write_for_no_value_is_missing(gap):
    known = [["a", "b", "c"], ["a", "b", "c"]]
    assert krippendorff_alpha([["a", "b", gap], known[1]]) == 1
    with pytest.raises(InputError, match="run 0 for block 2 is missing"):
        percentage_agreement([["a", "b", gap], known[1]])


def test_none_is_a_choice():
    assert percentage_agreement([["none", "None"], ["none", "null"]]) == 0.5


TABLES = {
    "list of lists": CODES,
    "array": np.array(CODES),
    "array of text": np.array(CODES).astype(str),
    "array of objects": np.array(CODES, dtype=object),
    "masked array without gaps": np.ma.masked_array(CODES),
    "tensor": torch.tensor(CODES),
    "tensor of floats": torch.tensor(CODES, dtype=torch.float64, requires_grad=True),
    "list of tensors": list(torch.tensor(CODES)),
    "list of arrays": list(np.array(CODES)),
    "table of pandas": pd.DataFrame(CODES),
    "list of series": [pd.Series(row) for row in CODES],
    "categories of pandas": pd.DataFrame(CODES).astype(str).astype("category"),
    "nullable integers of pandas": pd.DataFrame(CODES, dtype="Int64"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_the_same_ratings_in_every_kind_of_table(kind):
    assert percentage_agreement(TABLES[kind]) == 0.75
    assert krippendorff_alpha(TABLES[kind]) == krippendorff_alpha(CODES)


def test_gaps_of_arrays_and_tables_are_gaps():
    expected = krippendorff_alpha([["a", "b", None, "b"], ["a", "b", "c", "a"]])
    table = pd.DataFrame([["a", "b", pd.NA, "b"], ["a", "b", "c", "a"]])
    assert krippendorff_alpha(table) == expected
    assert krippendorff_alpha(table.astype("category")) == expected
    assert krippendorff_alpha(np.array([["a", "b", np.nan, "b"], ["a", "b", "c", "a"]])) == expected  # NumPy: "nan"
    masked = np.ma.masked_array([[1, 2, 9, 2], [1, 2, 3, 1]], mask=[[0, 0, 1, 0], [0, 0, 0, 0]])
    assert krippendorff_alpha(masked) == expected
    assert krippendorff_alpha(list(masked)) == expected


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (torch.zeros(2, 2, 2), "2 dimensions"),
        ([[torch.zeros(2), 1], [1, 1]], "run 0 for block 0 holds several values: Tensor"),
        ([[np.zeros(2), 1], [1, 1]], "holds several values: ndarray"),
        ({"run": [1, 2]}, "got dict"),
        ([{"x": 1}, {"x": 2}], "run 0 must be a sequence of labels, got dict"),
        ([{1, 2}, {1, 3}], "got set"),
        ([[{1}, 2], [1, 2]], "cannot be hashed: set"),
    ],
)
def test_what_is_no_table_is_refused_by_its_type(wrong, told):
    with pytest.raises(InputError, match=told):
        percentage_agreement(wrong)
