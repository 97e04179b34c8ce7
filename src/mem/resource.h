/* What a database has open, so that closing it gives everything back, in order, and can say what was
 * forgotten and where it was opened.
 *
 * The registry hangs on a pool: whatever is made with that pool, or with one below it, is entered
 * without anybody passing a registry around. */
#ifndef STOA_MEM_RESOURCE_H
#define STOA_MEM_RESOURCE_H

#include <stoa/log.h>

#include "mem/pool.h"

/// In the order in which they are released: each kind may use those after it.
typedef enum stoa_resource_kind {
    STOA_RESOURCE_TASK,     /* a call in the background; it may use any of the others */
    STOA_RESOURCE_PIPELINE, /* lanes on other threads, for a stream */
    STOA_RESOURCE_STREAM,
    STOA_RESOURCE_SINK,
    STOA_RESOURCE_SESSION,
    STOA_RESOURCE_TRANSACTION,
    STOA_RESOURCE_STATE, /* a handle of a state table, or what reads one; its store is closed by then */
    STOA_RESOURCE_FILE, /* with its map, when it has one */
    STOA_RESOURCE_KIND_COUNT
} stoa_resource_kind;

/// "task", "stream", …
const char *stoa_resource_kind_name(stoa_resource_kind kind);

typedef struct stoa_resource stoa_resource;
typedef struct stoa_resources stoa_resources;

/// Gives back what `owner` holds and leaves it as a handle that answers errors until whoever has it
/// closes it.
typedef void (*stoa_resource_release)(void *owner);

/// Puts a registry on `pool`. Pools made below it later use it too, unless they get one of their own.
///
/// Threads  Before the pool is shared.
STOA_MUST_USE stoa_status stoa_resources_create(stoa_pool *pool, stoa_resources **out,
                                                stoa_error *err);
/// Releases what is still open, kind by kind down to `last` and within a kind the newest first. What
/// was open is logged: a line each with where it was opened in builds with assertions, one line for
/// all of it otherwise. Returns how many there were. NULL is allowed.
///
/// Threads  Nobody else uses what is open.
int64_t stoa_resources_release(stoa_resources *resources, stoa_resource_kind last,
                               const stoa_logger *logger, const char *owner_name);
/// Releases everything and takes the registry off its pool. NULL is allowed.
void stoa_resources_close(stoa_resources *resources, const stoa_logger *logger,
                          const char *owner_name);

/// Enters something that is now open. `name` and `owner` are borrowed until it leaves; `release`
/// NULL only reports. `*out` is NULL where the pool has no registry.
STOA_MUST_USE stoa_status stoa_resource_enter(stoa_pool *pool, stoa_resource_kind kind,
                                              const char *name, stoa_resource_release release,
                                              void *owner, stoa_resource **out, stoa_error *err);
/// It is closed. NULL is allowed; so is one that its registry has released already, which is why
/// every owner calls this once, whatever happened.
void stoa_resource_leave(stoa_resource *resource);
/// For an owner that another thread may let go of while the registry releases it. `stop` is called
/// before the first of what is open is released: it asks what runs to end. `hold` is called when the
/// owner is about to be released, and keeps it until its release function lets go of it. Both are
/// called with the owner, under the registry's lock, and return at once. `resource` may be NULL.
void stoa_resource_set_running(stoa_resource *resource, stoa_resource_release stop,
                               stoa_resource_release hold);
/// The owner's name has moved.
void stoa_resource_rename(stoa_resource *resource, const char *name);

/// Calls for everything that is open, the oldest first, under the registry's lock. `pool` is the one
/// that the registry is on, or below it.
typedef void (*stoa_resource_function)(void *user, stoa_resource_kind kind, const char *name);
void stoa_resources_each(stoa_pool *pool, stoa_resource_function function, void *user);

#endif
