-- Words of calls are also kept in state folders, of which each machine and each settings file may have its own.
CREATE TABLE IF NOT EXISTS state_folders (
    folder_id VARCHAR NOT NULL, host VARCHAR, path VARCHAR, tombstones BIGINT, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE state_folders IS 'Where batches keep transcripts between runs; callqa purge erases in all of them';
COMMENT ON COLUMN state_folders.folder_id IS 'What the file `id` in the folder says';
COMMENT ON COLUMN state_folders.host IS 'Machine that a batch used the folder on';
COMMENT ON COLUMN state_folders.path IS 'The folder, as that machine sees it';
COMMENT ON COLUMN state_folders.tombstones IS
    'Tombstones in the ledger when the folder was last rid of erased calls; when there are more, the next batch does so';
COMMENT ON COLUMN state_folders.loaded_at IS 'When the transaction that wrote this row began';
