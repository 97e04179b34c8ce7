/* The store of a database's state tables: one folder, `state/` below the database's directory, opened
 * when it is first needed.
 *
 * Who only reads opens it to be read, beside whatever process writes, and takes up what was written
 * before each plan. The first write, or table made, opens it to be written: then its lock is this
 * process's until the database is closed. What was opened for reading stays as it was until then, since
 * plans and handles may use it. */
#ifndef STOA_TABLE_STATE_HOME_H
#define STOA_TABLE_STATE_HOME_H

#include "table/internal.h"

STOA_MUST_USE stoa_status stoa_state_home_create(stoa_database *database, stoa_state_home **out,
                                                 stoa_error *err);
/// Closes the store, after all that uses it. NULL is allowed.
void stoa_state_home_close(stoa_state_home *home);

/// The store for writing, borrowed until the database is closed.
///
/// Errors   STOA_LOCKED       another process writes
///          STOA_INVALID      the database was opened read-only
///          STOA_UNSUPPORTED  the database lies in an object store
STOA_MUST_USE stoa_status stoa_state_home_write(stoa_database *database, stoa_store **out,
                                                stoa_error *err);
/// The store for reading, with all that was written until now.
///
/// Errors   STOA_NOT_FOUND  there is none yet; STOA_UNSUPPORTED
STOA_MUST_USE stoa_status stoa_state_home_read(stoa_database *database, stoa_store **out,
                                               stoa_error *err);
/// Another one for reading, all of it from the files: it is the caller's.
STOA_MUST_USE stoa_status stoa_state_home_read_anew(stoa_database *database,
                                                    const stoa_context *context, stoa_store **out,
                                                    stoa_error *err);
/// The directory of the store, borrowed as long as the database is open. There may be no such directory.
///
/// Errors   STOA_UNSUPPORTED  the database lies in an object store
STOA_MUST_USE stoa_status stoa_state_home_directory(const stoa_database *database,
                                                    const char **out, stoa_error *err);
/// Errors   STOA_INVALID  a table of another kind
STOA_MUST_USE stoa_status stoa_state_home_check_kind(const stoa_entry *entry, stoa_error *err);
/// Where this process writes: what is in memory is in files afterwards.
STOA_MUST_USE stoa_status stoa_state_home_flush(stoa_database *database, stoa_error *err);
/// How durable commits of sinks are: as configured, else as a commit of the catalog.
stoa_durability stoa_state_home_durability(stoa_database *database);

#endif
