"""Content addressing: identifiers, blocks and the DAGs that files and directories become. No I/O."""
