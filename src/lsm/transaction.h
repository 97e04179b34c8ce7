/* What the files of transactions share. See include/stoa/state_transaction.h. */
#ifndef STOA_LSM_TRANSACTION_H
#define STOA_LSM_TRANSACTION_H

#include <stoa/state_transaction.h>

#include "lsm/store_internal.h"
#include "mem/arena.h"

/* A table that a transaction has written to or read for update. */
struct transaction_table {
    stoa_state *state;           /* a reference */
    stoa_definition *definition; /* when it was first used; a reference */
    /* The transaction's writes, all with the snapshot's sequence number: nothing that is visible at the
     * snapshot is newer, and among themselves the later one counts. */
    stoa_memtable *own;      /* NULL: none yet */
    stoa_state_view *source; /* that `view` was made of; NULL: not yet */
    stoa_state_view *view;   /* the same with `own` before it */
};

struct transaction_write {
    struct transaction_table *table;
    stoa_operation operation;
    const stoa_cell *cells; /* in the arena, with their bytes */
};

/* That nobody else may have changed by the time of the commit. */
struct transaction_key {
    struct transaction_table *table;
    const uint8_t *bytes; /* in the arena */
    size_t size;
};

struct transaction_savepoint {
    size_t write_bytes; /* sizes of the buffers */
    size_t key_bytes;
};

struct stoa_state_transaction {
    stoa_store *store; /* a reference */
    struct stoa_resource *resource;
    stoa_state_snapshot *snapshot;
    bool has_ended; /* committed, or in conflict */
    stoa_arena arena;
    stoa_buffer tables;                     /* struct transaction_table *, in the arena */
    stoa_buffer writes;                     /* struct transaction_write */
    stoa_buffer keys;                       /* struct transaction_key */
    stoa_buffer savepoints;                 /* struct transaction_savepoint */
    stoa_buffer key;                        /* of the row at hand */
    const struct transaction_key *conflict; /* found by the last commit */
};

/// Finds a table, or makes it one of the transaction's.
///
/// Errors   STOA_INVALID  of another database, or the transaction has ended
STOA_MUST_USE stoa_status stoa_state_transaction_use(stoa_state_transaction *transaction,
                                                     stoa_state *state,
                                                     struct transaction_table **out,
                                                     stoa_error *err);
/// What the transaction sees of a table, borrowed until the next write or read of it.
///
/// Errors   STOA_CONFLICT  the table's schema was changed meanwhile; STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_state_transaction_view(stoa_state_transaction *transaction,
                                                      struct transaction_table *table,
                                                      stoa_state_view **out, stoa_error *err);
/// The commit will fail if somebody else changes this key.
STOA_MUST_USE stoa_status stoa_state_transaction_track(stoa_state_transaction *transaction,
                                                       struct transaction_table *table,
                                                       const stoa_cell *cells, bool keys_only,
                                                       stoa_error *err);

#endif
