"""Language: WordNet's noun taxonomy and the forms of nouns."""
