"""Who is calling: wallets, tokens, keys, namespaces.

The composition root builds it so, once the platform's database is open::

    await migrate_platform(database, clock)  # orama.services.migrations
    auth = await open_auth(database=database, clock=clock, root_secret=cluster_key, settings=settings)
    handlers = AuthHandlers(auth)  # orama.gateway.handlers.auth

and a request is authenticated so::

    principal = await auth.authenticator.authenticate(credentials_in(headers))

A revocation heard from another gateway goes to ``auth.decisions.forget(key_ids=…, families=…)``.
"""
