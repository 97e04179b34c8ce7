/* Bulk loads: rows that become files as they come, beside the log, and part of their tables by one edit of
 * the manifest.
 *
 *     stoa_bulk_create(store, definition, STOA_OPERATION_PUT, &bulk, &err);
 *     stoa_bulk_put(bulk, &batch, &err);                 again and again
 *     stoa_bulk_finish(bulk, &err);
 *     stoa_bulk_commit(store, tables, table_count, &err);
 *     stoa_bulk_close(bulk);
 *
 * Rows are gathered in a memtable of the load's own; a full one is sorted and written as a file. The files
 * are of level 0, and may overlap. Their rows have no sequence number until the commit gives each file
 * one, so that the load is newer than all that was there by then. */
#ifndef STOA_LSM_BULK_H
#define STOA_LSM_BULK_H

#include <stoa/arrow.h>

#include "lsm/memtable.h"
#include "lsm/store.h"

typedef struct stoa_bulk stoa_bulk;

/// A load into a table with this definition, of which it keeps a reference: of rows, of operands, or of
/// deletions.
///
/// Owns     The caller closes it, before the store.
STOA_MUST_USE stoa_status stoa_bulk_create(stoa_store *store, struct stoa_definition *definition,
                                           stoa_operation operation, stoa_bulk **out,
                                           stoa_error *err);
/// Rows in the canonical layout of the definition's schema; of deletions only the columns of the key are
/// looked at. Of equal keys the last row counts; operands of equal keys are folded. Takes `batch`, also
/// on error.
///
/// Errors   STOA_INVALID  a null in the key; operands whose sum does not fit
///          STOA_UNSUPPORTED  an operator of a program that is not registered
///          STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
/// Threads  One at a time for a load; any number of loads at once.
STOA_MUST_USE stoa_status stoa_bulk_put(stoa_bulk *bulk, struct ArrowArray *batch, stoa_error *err);
/// Writes what is left in memory. Its files are durable then.
STOA_MUST_USE stoa_status stoa_bulk_finish(stoa_bulk *bulk, stoa_error *err);
/// Removes the files of a load that was not committed. NULL is allowed.
void stoa_bulk_close(stoa_bulk *bulk);

/* What one table gets: finished loads, of equal keys those of a later one count. */
typedef struct stoa_bulk_table {
    stoa_state *state;
    stoa_bulk *const *bulks;
    int64_t count;
    bool replaces; /* all rows that were there are deleted */
} stoa_bulk_table;

/// Makes all loads part of their tables in one step, durably. What is in memory of these tables is written
/// into files before, while others that write to them wait.
///
/// Errors   STOA_CONFLICT  a table was dropped, or given another definition than the load's; STOA_IO
STOA_MUST_USE stoa_status stoa_bulk_commit(stoa_store *store, const stoa_bulk_table *tables,
                                           int64_t count, stoa_error *err);

#endif
