/* Leases: how processes that share a directory know of each other.
 *
 * A lease is a file in DB/leases under an exclusive lock of the operating system, which ends with
 * its process, however that ends. So no clock and no process id decides who is alive. The file's
 * name says what the lease covers:
 *
 *     <token>.writer           data files named <token>-… and the folder tmp/<token>
 *     <commit>-<token>.reader  everything that the catalog named after commit <commit> */
#ifndef STOA_TABLE_LEASE_H
#define STOA_TABLE_LEASE_H

#include "table/table.h"

typedef struct stoa_lease stoa_lease;

enum { STOA_LEASE_TOKEN_BYTES = 17 }; /* 16 hexadecimal digits and a NUL */

/// `commit_id` below 0: a writer's lease. `*out` is NULL where a database that was opened read-only
/// lies in a directory that cannot be written to: there nobody removes anything either.
STOA_MUST_USE stoa_status stoa_lease_open(stoa_database *database, int64_t commit_id,
                                          stoa_lease **out, stoa_error *err);
void stoa_lease_close(stoa_lease *lease);
const char *stoa_lease_token(const stoa_lease *lease);

/// All leases at one moment; dead ones are told apart and, where they cover nothing, removed.
typedef struct stoa_lease_list {
    stoa_pool *pool;
    char (*live)[STOA_LEASE_TOKEN_BYTES]; /* tokens of live writers */
    int64_t live_count;
    char (*dead)[STOA_LEASE_TOKEN_BYTES]; /* tokens of writers that have ended */
    int64_t dead_count;
    int64_t horizon; /* the oldest commit that a live reader may read; INT64_MAX: no reader */
} stoa_lease_list;
STOA_MUST_USE stoa_status stoa_lease_list_read(stoa_database *database, stoa_lease_list *out,
                                               stoa_error *err);
void stoa_lease_list_release(stoa_lease_list *list);
bool stoa_lease_list_has_live(const stoa_lease_list *list, const char *token);
/// Removes a dead writer's lease after everything that it covered.
void stoa_lease_forget(stoa_database *database, const char *token);

#endif
