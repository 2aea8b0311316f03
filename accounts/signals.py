"""Signals of this app, sent inside the transaction that changed the state, where there is one."""

from django.dispatch import Signal

signed_in = Signal()  # user, ip_address, user_agent
sign_in_failed = Signal()  # user (the one whose address was tried), ip_address, user_agent
settings_changed = (
    Signal()
)  # user, what ("password", "e-mail address", "time zone", "two-factor authentication", …), actor ("staff" or nothing)
changed_by_staff = Signal()  # user, what (labels; each has its settings_changed besides)
purchases_frozen = Signal()  # user, frozen (False: resumed), reason
signed_out = Signal()  # user; the session has ended already
api_key_created = Signal()  # user, api_key
api_key_revoked = Signal()  # user, api_key
api_keys_revoked = Signal()  # user, api_keys (those that ended by one action; each has its api_key_revoked besides)
policy_accepted = Signal()  # user, version, ip_address
