/* What a manifest says, in memory: tables and files, found by table and number without a search through
 * them. An edit is checked and everything that it needs is allocated before it is written; applying it
 * cannot fail. */
#ifndef STOA_LSM_MANIFEST_STATE_H
#define STOA_LSM_MANIFEST_STATE_H

#include "lsm/manifest.h"

/* A set of files by table and number: a hash table of positions in a dense list. */
typedef struct stoa_file_index {
    stoa_pool *pool;
    stoa_manifest_removal *items;
    int64_t count;
    int64_t capacity;
    uint32_t *slots; /* a position and one; 0: free */
    uint32_t slot_mask;
} stoa_file_index;

typedef struct stoa_manifest_contents {
    stoa_pool *pool;
    stoa_manifest_state state; /* tables by id; files in the order of `index` */
    int32_t table_capacity;
    int64_t file_capacity;
    stoa_file_index index;
    uint64_t bytes; /* about what a new manifest takes */
} stoa_manifest_contents;

/* An edit that follows, with copies of what it brings. */
typedef struct stoa_manifest_change {
    const stoa_manifest_edit *edit;
    stoa_arena arena;                   /* of the lists */
    const stoa_manifest_table **tables; /* the edit's, by id */
    int64_t *dropped;                   /* in growing order */
    char **definitions;                 /* of `tables`, from the pool */
    uint8_t **keys; /* a file's keys one after the other, one block of the pool each */
} stoa_manifest_change;

void stoa_manifest_contents_init(stoa_manifest_contents *contents, stoa_pool *pool);
void stoa_manifest_contents_release(stoa_manifest_contents *contents);

/// Makes ready for an edit.
///
/// Errors   STOA_CORRUPT  it does not follow; STOA_LIMIT  2^31 files; STOA_NO_MEMORY
/// Owns     Borrows the edit. On STOA_OK the caller applies or drops the change.
STOA_MUST_USE stoa_status stoa_manifest_change_prepare(stoa_manifest_change *change,
                                                       stoa_manifest_contents *contents,
                                                       const stoa_manifest_edit *edit,
                                                       stoa_error *err);
/// Both end the change. Between preparing and applying, nothing else changes the contents.
void stoa_manifest_change_apply(stoa_manifest_change *change, stoa_manifest_contents *contents);
void stoa_manifest_change_drop(stoa_manifest_change *change, stoa_pool *pool);

#endif
