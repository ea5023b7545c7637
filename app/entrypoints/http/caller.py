"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a request. Neither a user id nor admin: nobody in particular, who may see what is public."""

    user_id: str | None
    is_admin: bool

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and not self.is_admin


ANONYMOUS = Caller(user_id=None, is_admin=False)
