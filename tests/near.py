"""What comparisons with other libraries share: a call without their warnings, and a tolerance."""

import warnings


def quiet(call, *arguments, **named):
    """The call, whatever the library warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **named)


def close(found, wanted, share=1e-5):
    """Within a share of the largest value, and of the same shape."""
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max()) <= share * float(wanted.abs().max())
