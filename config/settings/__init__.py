"""Settings, all from the environment (read nowhere else). One file a concern."""

from .base import *
from .drills import *
from .logging import *
from .metrics import *
from .product import *
from .security import *
from .workers import *
