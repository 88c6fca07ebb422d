from __future__ import annotations

import apsw
import pytest

from orama.backends.database.sqlite.translate import chained, translate
from orama.errors import Internal, InvalidArgument, OramaError, Unavailable, Unprocessable


def _classes(of):
    return [of, *(one for each in of.__subclasses__() for one in _classes(each))]


@pytest.mark.parametrize("kind", [one for one in _classes(apsw.Error) if one is not apsw.Error])
def test_every_class_of_the_driver_is_mapped_by_name(kind):
    translated = translate(kind("/secret/path: text"))
    assert isinstance(translated, OramaError)
    if isinstance(translated, Internal):
        assert kind.__name__ in translated.text, "known, and known to be ours"
    if not isinstance(translated, (Unprocessable, InvalidArgument)) and kind is not apsw.TooBigError:
        assert "/secret/path" not in translated.text


def test_only_unforeseen_classes_fall_through():
    from orama.backends.database.sqlite import translate as module

    listed = {*module._CALLER, *module._AWAY, *module._DAMAGED, *module._OURS}
    single = {apsw.ConstraintError, apsw.BindingsError, apsw.TooBigError, apsw.FullError}
    assert listed | single == set(_classes(apsw.Error)) - {apsw.Error}
    assert not listed & single


def test_other_failures_have_a_class_too():
    assert isinstance(translate(OverflowError()), InvalidArgument)
    assert isinstance(translate(PermissionError("/secret")), Unavailable)
    assert isinstance(translate(RuntimeError("?")), Internal)


def test_cause_is_kept_privately():
    error = apsw.BusyError("locked")
    assert chained(error).__cause__ is error
    own = Unprocessable("x")
    assert chained(own) is own
    assert own.__cause__ is None
