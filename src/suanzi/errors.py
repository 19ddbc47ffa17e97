"""The one error that a user can cause: where, what was expected, what was found, what to do."""

from typing import Any, Self


class SuanziError(Exception):
    """A mistake in a model, in its input or in a call, told in the user's terms.

    >>> error = SuanziError("wrong rank", input="X", expected="4 axes", found="3 axes")
    >>> print(error.at(model="net.onnx", node="conv1 (Conv)"))
    net.onnx: node conv1 (Conv): input X: wrong rank; expected 4 axes, found 3 axes
    """

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        node: str | None = None,
        input: str | None = None,
        expected: Any = None,
        found: Any = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.model, self.node, self.input = model, node, input
        self.expected, self.found, self.hint = expected, found, hint

    def at(
        self, *, model: str | None = None, node: str | None = None, input: str | None = None
    ) -> Self:
        """Adds the place, as the error passes upwards through who knows it; what is set stays."""
        self.model = self.model or model
        self.node = self.node or node
        self.input = self.input or input
        return self

    def __str__(self) -> str:
        where = [
            self.model,
            self.node and f"node {self.node}",
            self.input and ("input" if self.input == "input" else f"input {self.input}"),
        ]
        text = ": ".join([*(part for part in where if part), self.message])
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += ("," if self.expected is not None else ";") + f" found {self.found}"
        if self.hint is not None:
            text += f". {self.hint}"
        return text
