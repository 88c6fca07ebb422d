"""Backups: one encrypted file that holds what a node keeps.

Inside the encryption (age) is a tar archive, whose members lie as in a data directory::

    backup.json     what made it, when, in which version of this format
    <parts>         what the sections of `orama.contracts.backup` give, in their order
    manifest.json   each part's size, SHA-256 and counts; written last, so that nothing short of it is whole

Everything here blocks: it is for commands, never for an event loop.
"""
