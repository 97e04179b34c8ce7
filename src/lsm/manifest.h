/* The manifest: which tables a store has and which files they consist of, as a log of edits.
 *
 * An edit is one record with a checksum: all of it or nothing, synced before it counts. When the log
 * has grown to several times what it says, a new one is written that says the same, and `CURRENT` is
 * renamed over. Any number of processes read it while one writes. docs/formats/manifest.md describes
 * the bytes. */
#ifndef STOA_LSM_MANIFEST_H
#define STOA_LSM_MANIFEST_H

#include "lsm/version.h"
#include "mem/arena.h"

/* What is kept of a table: `definition` is text that table_options.h makes and reads (schema, key,
 * merge operators, times to live, …). */
typedef struct stoa_manifest_table {
    int64_t id; /* above 0 */
    const char *definition;
} stoa_manifest_table;

typedef struct stoa_manifest_file {
    int64_t table_id;
    stoa_table_file_info info;
} stoa_manifest_file;

typedef struct stoa_manifest_removal {
    int64_t table_id;
    uint64_t number;
} stoa_manifest_removal;

/* What changes in one step. All-zero changes nothing. Borrows everything; keys and texts may be the
 * state's, lists may not. */
typedef struct stoa_manifest_edit {
    const stoa_manifest_table *tables; /* made, or given another definition */
    int32_t table_count;
    const int64_t *dropped; /* tables, with all their files */
    int32_t dropped_count;
    const stoa_manifest_removal *removed; /* before `added`: a file that moves is in both */
    int64_t removed_count;
    const stoa_manifest_file *added;
    int64_t added_count;
    uint64_t log_segment;      /* the first that is still needed; 0: as it was */
    uint64_t next_file;        /* numbers from it on are free; 0: as it was */
    uint64_t last_sequence;    /* at least; 0: as it was */
    uint64_t flushed_sequence; /* rows up to it are in files, of all tables; 0: as it was */
} stoa_manifest_edit;

/* What all edits say together. */
typedef struct stoa_manifest_state {
    stoa_manifest_table *tables;
    int32_t table_count;
    stoa_manifest_file *files; /* info.first_key and last_key are borrowed from the manifest */
    int64_t file_count;
    uint64_t log_segment;
    uint64_t next_file;
    uint64_t last_sequence;
    uint64_t flushed_sequence;
} stoa_manifest_state;

typedef struct stoa_manifest stoa_manifest;

typedef struct stoa_manifest_options {
    stoa_context context;
    stoa_fs_registry *file_systems;
    const char *directory;
    bool create;               /* makes one where there is none */
    bool read_only;            /* takes no lock, and changes nothing */
    uint64_t checkpoint_bytes; /* logs that are shorter are never written anew; 0: 64 KiB */
} stoa_manifest_options;

/// Opens (and, to write, locks) a store's manifest. A torn last edit is cut; for who reads only it is
/// not there yet.
///
/// Errors   STOA_NOT_FOUND    there is none, and `create` is false or `read_only` true
///          STOA_LOCKED       another process writes; the message names it
///          STOA_CORRUPT      an edit that is damaged (with byte), or that does not follow from those before
///          STOA_UNSUPPORTED  a newer version of the format; a file system without locks
///          STOA_IO, STOA_NO_MEMORY
/// Owns     The caller closes it. `options` is copied, texts too; the context's token counts for the
///          opening only.
STOA_MUST_USE stoa_status stoa_manifest_open(const stoa_manifest_options *options,
                                             stoa_manifest **out, stoa_error *err);
/// Gives the lock back. NULL is allowed.
void stoa_manifest_close(stoa_manifest *manifest);

/// What is there now; valid until the next append or follow.
const stoa_manifest_state *stoa_manifest_state_of(const stoa_manifest *manifest);

/// Adds an edit, durably. On error nothing of it counts: where it is not known what the disk has (a
/// failed sync), the next append begins a new manifest, and fails as long as that cannot be had. Until
/// one succeeds the failed edit may be what the next process finds: files that it named are to stay.
///
/// Errors   STOA_CORRUPT  it does not follow from the state (a file that is not there, or a number that
///                        `next_file` says is free, …); STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
///          STOA_INVALID  the manifest is read-only
/// Threads  One at a time.
STOA_MUST_USE stoa_status stoa_manifest_append(stoa_manifest *manifest,
                                               const stoa_manifest_edit *edit, stoa_error *err);

/// A read-only manifest: takes up what was added since. `*out_changed` says whether there was anything.
STOA_MUST_USE stoa_status stoa_manifest_follow(stoa_manifest *manifest, bool *out_changed,
                                               stoa_error *err);

/// A manifest that says `state`, alone in `directory` (of a checkpoint or a backup), durably.
///
/// Errors   STOA_EXISTS  there is one; STOA_IO, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_manifest_write_new(const stoa_context *context,
                                                  stoa_fs_registry *file_systems,
                                                  const char *directory,
                                                  const stoa_manifest_state *state,
                                                  stoa_error *err);

#endif
