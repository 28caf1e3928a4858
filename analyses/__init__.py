"""One file, one question: a pure function on arrays, a declaration, and the Result that it gives."""
