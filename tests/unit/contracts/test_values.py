"""The bounds inside which decimal arithmetic is exact, at their edges."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.values import DECIMALS_MAX, MAGNITUDE_MAX, has_price_step, is_exact, is_plain_number, plain

LARGEST = Decimal("999999999999.999999999")


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "1",
        "-1",
        "0.000000001",
        "999999999999",
        "999999999999.999999999",
        "1E+5",
        "1e11",
        "1E-9",
        "10.500",
        "1." + "0" * 30_000,
    ],
)
def test_numbers_of_twelve_digits_and_nine_decimals_are_exact(text: str) -> None:
    assert is_exact(Decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1000000000000",
        "1e12",
        "1e400",
        "-1e400",
        "1e-10",
        "1e-999999",
        "0.0000000001",
        "1.0000000001",
        "9" * 30_000,
        "0E+20",
    ],
)
def test_other_numbers_are_not_exact(text: str) -> None:
    assert not is_exact(Decimal(text))


@given(st.decimals(allow_nan=None, allow_infinity=None))
def test_every_decimal_is_either_exact_or_not_and_never_an_error(number: Decimal) -> None:
    if is_exact(number):
        assert abs(number) < Decimal(10) ** MAGNITUDE_MAX
        assert number == round(number, DECIMALS_MAX)


@given(
    st.decimals(min_value=-LARGEST, max_value=LARGEST, places=9),
    st.decimals(min_value=-LARGEST, max_value=LARGEST, places=9),
)
def test_sums_of_exact_numbers_lose_nothing(one: Decimal, other: Decimal) -> None:
    assert is_exact(one)
    assert (one + other) - other == one


@pytest.mark.parametrize(
    ("price", "on_tick"),
    [
        ("1", True),
        ("1.00", True),
        ("1.01", True),
        ("1.010", True),
        ("1.001", False),
        ("1.0001", False),
        ("189.12", True),
        ("189.125", False),
        ("0.9999", True),
        ("0.99990", True),
        ("0.99995", False),
        ("0.0001", True),
        ("0.00001", False),
        ("0.5", True),
        ("999999999999.99", True),
        ("999999999999.999", False),
    ],
)
def test_prices_have_two_decimals_from_a_dollar_up_and_four_below(price: str, on_tick: bool) -> None:  # noqa: FBT001 - a column
    assert has_price_step(Decimal(price)) is on_tick


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("1E+5", "100000"),
        ("100000", "100000"),
        ("10.00", "10"),
        ("0.50", "0.5"),
        ("0E+3", "0"),
        ("-1.10", "-1.1"),
        ("0", "0"),
        ("1." + "0" * 30_000, "1"),
    ],
)
def test_a_plain_number_has_no_exponent_and_no_empty_decimals(written: str, short: str) -> None:
    assert str(plain(Decimal(written))) == short


@given(st.decimals(-LARGEST, LARGEST, places=9))
def test_plain_numbers_are_equal_to_what_they_were_and_alike_for_equal_values(number: Decimal) -> None:
    assert plain(number) == number
    assert str(plain(number)) == str(plain(number * Decimal("1.000")))


@pytest.mark.parametrize("text", ["1_000", " 10", "10 ", "１０", "٣", "10\n", "1\u2009000"])
def test_digits_that_only_python_reads_are_not_plain(text: str) -> None:
    assert not is_plain_number(text)
