"""What the server answers when it does not do what is asked, in Qdrant's words and form."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not carried out, and the HTTP status that says so."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class WrongInput(Refused):
    """What is asked cannot be done to what is there."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Wrong input: {message}")


class Unauthorized(Refused):
    """A key is missing or wrong."""

    status = 401


class Forbidden(Refused):
    """A key that may only read."""

    status = 403


class NoCollection(Refused):
    """A collection that was never made, or is gone."""

    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"Not found: Collection `{name}` doesn't exist!")


class Exists(Refused):
    """A collection that is there already."""

    status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"Wrong input: Collection `{name}` already exists!")
