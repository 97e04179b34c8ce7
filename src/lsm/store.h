/* The store: the state tables of one directory, under one log and one manifest. What programs call is
 * in <stoa/state.h>; this is what `table` opens stores with, and what the files of this module share
 * with each other is in store_internal.h. docs/design/lsm.md has the whole. */
#ifndef STOA_LSM_STORE_H
#define STOA_LSM_STORE_H

#include <stoa/context.h>
#include <stoa/state.h>

#include "vfs/vfs.h"

typedef struct stoa_store stoa_store;
struct stoa_definition; /* table_options.h */

typedef struct stoa_store_options {
    stoa_context context; /* pool and scheduler are not NULL */
    stoa_fs_registry *file_systems;
    const char *directory; /* made when it is missing */
    bool create;
    bool read_only;   /* no lock, no changes; stoa_store_follow takes up what others write */
    const char *boot; /* see wal.h */
    stoa_state_options settings;
} stoa_store_options;

/// Opens a store, and brings back what its log holds.
///
/// Errors   STOA_NOT_FOUND, STOA_LOCKED, STOA_CORRUPT, STOA_UNSUPPORTED  as stoa_manifest_open and
///          stoa_wal_open; STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
/// Owns     `options` is copied, texts too. The caller closes it, after all that it opened from it.
STOA_MUST_USE stoa_status stoa_store_open(const stoa_store_options *options, stoa_store **out,
                                          stoa_error *err);
/// Ends what runs in the background. The log keeps what is not in files yet. NULL is allowed.
void stoa_store_close(stoa_store *store);

/// Makes, opens, drops a table. Ids are the caller's, above 0, and never used twice.
STOA_MUST_USE stoa_status stoa_store_create_table(stoa_store *store, int64_t id,
                                                  const stoa_schema *schema,
                                                  const stoa_state_table_options *options,
                                                  stoa_error *err);
/// The same with a definition, which the table keeps a reference to.
STOA_MUST_USE stoa_status stoa_store_create_table_of(stoa_store *store, int64_t id,
                                                     struct stoa_definition *definition,
                                                     stoa_error *err);
/// Errors   STOA_NOT_FOUND
STOA_MUST_USE stoa_status stoa_store_open_table(stoa_store *store, int64_t id, stoa_state **out,
                                                stoa_error *err);
STOA_MUST_USE stoa_status stoa_store_drop_table(stoa_store *store, int64_t id, stoa_error *err);

/// As stoa_state_alter, for the store's part of it: one edit of the manifest.
///
/// Errors   STOA_NOT_FOUND, STOA_INVALID, STOA_UNSUPPORTED, STOA_CONFLICT, STOA_CORRUPT, STOA_IO, STOA_LIMIT,
///          STOA_NO_MEMORY; nothing has changed
STOA_MUST_USE stoa_status stoa_store_alter_table(stoa_store *store, int64_t id,
                                                 const stoa_state_alteration *alterations,
                                                 int32_t count, stoa_error *err);

/// Calls for the id of every table. Nothing is locked meanwhile.
typedef stoa_status (*stoa_store_table_function)(void *user, int64_t id, stoa_error *err);
STOA_MUST_USE stoa_status stoa_store_each_table(stoa_store *store,
                                                stoa_store_table_function function, void *user,
                                                stoa_error *err);

/// A program's own merge operator, for this process.
STOA_MUST_USE stoa_status stoa_store_register_merge(stoa_store *store, const char *name,
                                                    stoa_merge_function function, void *user,
                                                    stoa_error *err);

/// Freezes what is in memory and waits until it is in files.
///
/// Errors   STOA_INVALID  it is only read; STOA_IO, STOA_NO_MEMORY, STOA_LIMIT
STOA_MUST_USE stoa_status stoa_store_flush(stoa_store *store, stoa_error *err);

/// A read-only store: takes up what was written since.
STOA_MUST_USE stoa_status stoa_store_follow(stoa_store *store, stoa_error *err);

/// The batches that are added to `batch` from now on were made of what was there at the sequence number
/// (of stoa_store_pin_sequence; 0: of nothing): the commit fails with STOA_CONFLICT when a row of one of
/// their keys was changed since.
void stoa_state_batch_expect(stoa_state_batch *batch, uint64_t sequence);

/// The columns of a table's key, in its order, which a batch of deletions has. The caller closes it.
STOA_MUST_USE stoa_status stoa_state_key_schema(const stoa_state *state, stoa_pool *pool,
                                                const stoa_schema **out, stoa_error *err);

/// What is kept of a table now; borrowed from the handle.
struct stoa_definition *stoa_state_definition(const stoa_state *state);
/// How many bytes of rows it keeps in memory before it writes them into a file.
size_t stoa_store_memtable_bytes(const stoa_store *store);

/// The store of a table.
stoa_store *stoa_state_store(const stoa_state *state);

#endif
