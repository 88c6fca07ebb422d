-- Several wallets of one account. An account is called by the subject of the wallet that it began with. A wallet without
-- a row is an account of its own. `account` is NULL for a wallet that was unlinked while others act for the account that
-- is called by it: it is nobody's until it is linked again.

CREATE TABLE account_wallets (
    wallet    TEXT PRIMARY KEY,
    account   TEXT,
    linked_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX account_wallets_by_account ON account_wallets (account) WHERE account IS NOT NULL;

-- The wallet that signed, where it is not the one that the account is called by.
ALTER TABLE families ADD COLUMN signer TEXT;
