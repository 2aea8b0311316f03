"""Where a fault drill kills this process. Refuses to be on in production."""

from config.lib import faults

from .base import DEBUG
from .env import env

FAULT_POINT = env.str("FAULT_POINT", default="")
faults.arm(FAULT_POINT, allowed=DEBUG)
