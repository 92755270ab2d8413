"""How the catalogue's schema came to be, one revision after the other."""
