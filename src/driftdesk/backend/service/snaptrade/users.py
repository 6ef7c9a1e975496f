"""Users of the SnapTrade routes: registered by the holder of the client id, each with a secret of its own."""

import hmac
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, insert, select, update

from driftdesk.backend.service.snaptrade.connection import Connections
from driftdesk.backend.store.tables import snaptrade_users
from driftdesk.errors import InputError, NotFound, Repeated
from driftdesk.wire.snaptrade.served import DeletedUser, UserAndSecret

_LONGEST_ID: Final = 100


class Users(Connections):
    """Who may ask."""

    def register_user(self, user_id: str) -> UserAndSecret:
        """A new user with a random secret; Repeated for an id that is taken."""
        if not user_id.strip() or len(user_id) > _LONGEST_ID:
            raise InputError(
                f"userId must have 1 to {_LONGEST_ID} characters; received {len(user_id)}.",
                field="userId",
                received=user_id,
                allowed=f"1 to {_LONGEST_ID} characters",
            )
        with self._world.database.write() as connection:
            if self._secret(user_id) is not None:
                raise Repeated(f"User {user_id} is registered already; choose another userId.")
            secret = str(uuid4())
            now = self._world.now()
            connection.execute(insert(snaptrade_users).values(user_id=user_id, secret=secret, created_at=now))
        return UserAndSecret(userId=user_id, userSecret=secret)

    def list_users(self) -> list[str]:
        """The ids of all users, sorted."""
        with self._world.database.read() as connection:
            return list(connection.scalars(select(snaptrade_users.c.user_id).order_by(snaptrade_users.c.user_id)))

    def delete_user(self, user_id: str) -> DeletedUser:
        """Forget a user, at once; NotFound without it. The accounts stay."""
        with self._world.database.write() as connection:
            gone = connection.execute(delete(snaptrade_users).where(snaptrade_users.c.user_id == user_id)).rowcount
        if not gone:
            raise NotFound(f"There is no user {user_id}.")
        return DeletedUser(status="deleted", detail=f"User {user_id} is deleted.", userId=user_id)

    def reset_secret(self, user: UserAndSecret) -> UserAndSecret:
        """A new random secret in place of the one given; NotFound where user and secret do not belong together."""
        with self._world.database.write() as connection:
            if not self.knows_user(user.userId, user.userSecret):
                raise NotFound("There is no user with that userId and userSecret.")
            secret = str(uuid4())
            of_user = snaptrade_users.c.user_id == user.userId
            connection.execute(update(snaptrade_users).where(of_user).values(secret=secret))
        return UserAndSecret(userId=user.userId, userSecret=secret)

    def knows_user(self, user_id: str, secret: str) -> bool:
        """Whether that user has that secret, compared in constant time."""
        kept = self._secret(user_id)
        return hmac.compare_digest((kept or "").encode(), secret.encode()) and kept is not None

    def _secret(self, user_id: str) -> str | None:
        with self._world.database.read() as connection:
            found: str | None = connection.scalar(
                select(snaptrade_users.c.secret).where(snaptrade_users.c.user_id == user_id)
            )
            return found
