"""Who is calling: wallets, tokens, keys, namespaces."""
