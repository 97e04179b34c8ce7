/* File systems that fail: for tests of everything that reads and writes.
 *
 * Two parts that go together. A *crash* file system keeps files in memory and remembers what was
 * synced, so that it can lose the rest. A *fault* file system stands before any other and makes
 * calls fail: the nth, or all from the nth on, torn, short, or for lack of space.
 *
 *     stoa_fs_crash_create(pool, &disk, &err);
 *     stoa_fs_fault_create(pool, disk, &fs, &fault, &err);      (fs goes to a registry)
 *     stoa_fault_plan(fault, &(stoa_fault_options){.fail_at = n, .fails_on = true});
 *     … work until it fails …
 *     stoa_fs_crash(fault's disk, STOA_CRASH_TEAR, seed, &err);
 *     stoa_fault_plan(fault, NULL);
 *     … open again and look … */
#ifndef STOA_VFS_FAULT_H
#define STOA_VFS_FAULT_H

#include "vfs/vfs.h"

/// A memory file system that knows what was synced: a file's content since its last sync, a name
/// since the last sync of its directory (a new file's own sync does not keep its name).
STOA_MUST_USE stoa_status stoa_fs_crash_create(stoa_pool *pool, stoa_fs *out, stoa_error *err);

typedef enum stoa_crash_mode {
    STOA_CRASH_DROP = 0, /* all that was not synced is gone */
    STOA_CRASH_KEEP = 1, /* all of it is there (the process died, the machine did not) */
    STOA_CRASH_TEAR = 2  /* by the seed: the first of the unsynced changes of names, and of each
                            file a part of the unsynced bytes, some of them zeros; of a file that was
                            mapped to be written any of the sectors that changed */
} stoa_crash_mode;

/// The machine goes down and comes back. Handles from before fail with STOA_IO from now on; their
/// locks are gone.
///
/// Errors   STOA_INVALID  `fs` was not made by stoa_fs_crash_create
///          STOA_NO_MEMORY, STOA_LIMIT; the state is then not one that a crash could leave
/// Threads  Nobody else uses `fs` during the call.
STOA_MUST_USE stoa_status stoa_fs_crash(stoa_fs *fs, stoa_crash_mode mode, uint64_t seed,
                                        stoa_error *err);

typedef enum stoa_fault_call {
    STOA_FAULT_ANY = 0,
    STOA_FAULT_OPEN,
    STOA_FAULT_STAT,
    STOA_FAULT_LIST,
    STOA_FAULT_MAKE_DIRECTORY,
    STOA_FAULT_REMOVE,
    STOA_FAULT_RENAME,
    STOA_FAULT_LINK,
    STOA_FAULT_SYNC_DIRECTORY,
    STOA_FAULT_LOCK,
    STOA_FAULT_PUT_IF,
    STOA_FAULT_SIZE,
    STOA_FAULT_READ,  /* ranged, vectored and mapped, and checks of maps */
    STOA_FAULT_WRITE, /* and setting space aside, and mapping to write */
    STOA_FAULT_SYNC,
    STOA_FAULT_TRUNCATE,
    STOA_FAULT_CALL_COUNT
} stoa_fault_call;

/// What is to go wrong; all-zero is nothing.
typedef struct stoa_fault_options {
    uint64_t fail_at;     /* this call fails, counted from 1; 0: none */
    stoa_fault_call call; /* only calls of this kind are counted for `fail_at` */
    bool fails_on;        /* and every call after it, of any kind: the machine is gone */
    bool tears_writes;    /* a write that fails leaves a part of its bytes, and a put_if that fails
                             has happened or not, by the seed */
    bool shortens_reads;  /* reads answer less than asked, by the seed */
    bool hangs;           /* what would fail does not answer: until the token of its context is
                             triggered (STOA_CANCELLED) or another plan is made (it goes on) */
    uint32_t delay_ms;    /* every call of the kind takes so much longer, or until the token */
    stoa_status status;   /* of the failure; 0: STOA_IO */
    uint64_t space_bytes; /* so many more bytes can be written before the disk is full; 0: any */
    uint64_t seed;
} stoa_fault_options;

typedef struct stoa_fault stoa_fault;

/// Puts a fault file system before `inner`, which it closes when it goes.
///
/// Owns     `*out_fault` belongs to `*out` and is valid as long. On error the caller keeps `inner`.
/// Threads  Any; the count of calls is then shared by them.
STOA_MUST_USE stoa_status stoa_fs_fault_create(stoa_pool *pool, stoa_fs inner, stoa_fs *out,
                                               stoa_fault **out_fault, stoa_error *err);

/// Starts counting anew under `options`; NULL lets everything succeed.
void stoa_fault_plan(stoa_fault *fault, const stoa_fault_options *options);

/// Calls since the last plan, of one kind or (STOA_FAULT_ANY) of all; closing is not counted.
uint64_t stoa_fault_calls(stoa_fault *fault, stoa_fault_call call);

/// True when the plan has made a call fail.
bool stoa_fault_happened(stoa_fault *fault);

/// The file system behind, for stoa_fs_crash.
stoa_fs *stoa_fault_inner(stoa_fault *fault);

#endif
