"""What crosses apps: journeys in a real browser, and fault drills on the running product."""
