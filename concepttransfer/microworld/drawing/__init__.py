"""How things look: bodies, heads, tails, coats and markings of animals; habitats, objects, and where things stand."""
