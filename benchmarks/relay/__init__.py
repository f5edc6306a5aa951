"""How much a gateway costs: relaying measured against no proxy and against nginx."""
