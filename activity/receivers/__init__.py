"""What this app does on the signals of the apps to its left, one file an app.

Each happening becomes one event row in the transaction that it is part of: without its row nothing happened. The
movement of money itself is recorded on `transaction_posted`; the other signals say what it was about. So a purchase
gives three events (initiated, purchased, deducted) and an ending with a refund two.
"""

from activity.receivers import accounts, payments, verifications, wallet  # noqa: F401  connects them
