"""What runs the product on one machine and stands in for the outside world: launcher, sandbox, tests' machinery, demo.

The product imports nothing from here, and the production image lacks it.
"""
