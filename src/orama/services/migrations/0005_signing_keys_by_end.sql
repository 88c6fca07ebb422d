-- Signing keys that have been replaced are found for their removal without a look at the others.

CREATE INDEX signing_keys_by_end ON signing_keys (retired_at) WHERE retired_at IS NOT NULL;
