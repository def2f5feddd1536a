"""How tasks choose, create and watch objects."""
