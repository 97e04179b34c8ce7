/* Transactions over state tables: reads of one moment with the transaction's own writes over them, and
 * writes that become visible together or not at all.
 *
 *     do {
 *         stoa_state_transaction_begin(accounts, &transaction, &err);
 *         stoa_state_transaction_get_for_update(transaction, accounts, key, row, &found, &err);
 *         …
 *         stoa_state_transaction_put(transaction, accounts, cells, &err);
 *         status = stoa_state_transaction_commit(transaction, STOA_DURABILITY_DEFAULT, &err);
 *         stoa_state_transaction_close(transaction);
 *     } while (status == STOA_CONFLICT);
 *
 * They are optimistic: nothing is locked, and who commits first wins. A commit fails with
 * STOA_CONFLICT when a key that the transaction wrote, or read for update, was changed since it began.
 * That is snapshot isolation: no update is lost, and reads are of one moment. Two transactions that
 * each read what the other writes may both commit (write skew), unless they read it for update. A row
 * that was not there, and that others made and deleted again, may count as unchanged.
 *
 * Threads  One call at a time for each transaction; any number of transactions at once. */
#ifndef STOA_STATE_TRANSACTION_H
#define STOA_STATE_TRANSACTION_H

#include <stoa/state.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct stoa_state_transaction stoa_state_transaction;

/// Begins over all state tables of the database that `state` belongs to, as they are now. What it sees
/// is kept by compactions until it ends, so it should be short.
///
/// Errors   STOA_NO_MEMORY, STOA_LIMIT
/// Owns     The caller closes it, before the tables.
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_begin(stoa_state *state,
                                                                stoa_state_transaction **out,
                                                                stoa_error *err);
/// Rolls back what is not committed. NULL is allowed.
STOA_API void stoa_state_transaction_close(stoa_state_transaction *transaction);

/* ---- Writing: as the functions of <stoa/state.h> of the same names, in memory until the commit ----
 *
 * Errors   as there; also STOA_INVALID  a table of another database, or the transaction has ended.
 *          On error the transaction is as it was. */

STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_put(stoa_state_transaction *transaction,
                                                              stoa_state *state,
                                                              const stoa_cell *row,
                                                              stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_merge(stoa_state_transaction *transaction,
                                                                stoa_state *state,
                                                                const stoa_cell *row,
                                                                stoa_error *err);
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_delete(
    stoa_state_transaction *transaction, stoa_state *state, const stoa_cell *key, stoa_error *err);

/* ---- Reading: the transaction's own writes over what was there when it began ------------------- */

/// As stoa_state_get.
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_get(stoa_state_transaction *transaction,
                                                              stoa_state *state,
                                                              const stoa_cell *key, stoa_row *row,
                                                              bool *out_found, stoa_error *err);
/// The same; and the commit fails if somebody else changes the row, or makes it, or deletes it.
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_get_for_update(
    stoa_state_transaction *transaction, stoa_state *state, const stoa_cell *key, stoa_row *row,
    bool *out_found, stoa_error *err);

/// As stoa_state_scan; the options' snapshot is not looked at. Sees the writes that were made before, and
/// perhaps some that are made while it is read.
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_scan(
    stoa_state_transaction *transaction, stoa_state *state, const stoa_state_scan_options *options,
    struct ArrowArrayStream *out, stoa_error *err);

/* ---- Savepoints ------------------------------------------------------------------------------- */

/// Marks where the transaction is. Savepoints nest: `*out` counts from 0.
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_savepoint(
    stoa_state_transaction *transaction, int32_t *out, stoa_error *err);
/// Undoes what was written, and forgets what was read for update, since a savepoint, which stays; those
/// after it are gone. What the transaction sees of others does not change.
///
/// Errors   STOA_NOT_FOUND  there is no such savepoint
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_rollback_to(
    stoa_state_transaction *transaction, int32_t savepoint, stoa_error *err);

/* ---- The end ---------------------------------------------------------------------------------- */

/// Makes all writes visible at once, durable as asked. A transaction that has written nothing has
/// nothing to lose: it ends without a check.
///
/// Errors   STOA_CONFLICT  a key was changed since the transaction began: the message has the table and
///                         the key. It can only be closed, and begun anew
///          as a write of <stoa/state.h>; on these the commit may be tried again
STOA_API STOA_MUST_USE stoa_status stoa_state_transaction_commit(
    stoa_state_transaction *transaction, stoa_durability durability, stoa_error *err);

#ifdef __cplusplus
}
#endif
#endif
