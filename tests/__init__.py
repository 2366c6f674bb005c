"""The tests; the type checker comes with them, for pytest finds it as `tests.typed.checked`."""

from . import typed as typed
