"""News of this app, sent inside the transaction that changed the verification, after its money moved."""

from django.dispatch import Signal

verification_requested = Signal()  # verification: reserved and held, nothing bought yet
number_purchased = Signal()  # verification: charged and waiting
verification_refused = Signal()  # verification, why (sentence): requested -> failed, nothing was charged
verification_unclear = Signal()  # verification: whether the provider sold a number is unknown; asked again. Once
verification_progressed = Signal()  # verification: still waiting after PROGRESS_AFTER_SECONDS, once
verification_completed = Signal()  # verification, message: the code is there
message_arrived = Signal()  # verification, message: a further SMS, beside the one that completed it
# verification, reason ("timeout" | "cancelled" | "failed"): charged, ended without a code. The refund is made on this.
refund_due = Signal()
# verification, reason (as above), why (sentence): charged, ended without a code, and refunded by now
verification_ended = Signal()
verification_updated = (
    Signal()
)  # verification: anything else its owner may see change (a cancel under way, a further message)
provider_orphan_found = Signal()  # provider, provider_id, details: a number sold to us that no verification owns
provider_loss_booked = Signal()  # verification: refunded though the provider could not be reached
provider_compared = Signal()  # provider, report (primitives; its book against ours found something), error (or "")
catalogue_refused = Signal()  # provider, listed, lacking, for_sale: numbers of services; the list was not taken over
provider_balance_low = Signal()  # provider, balance (Decimal), threshold (Decimal)
