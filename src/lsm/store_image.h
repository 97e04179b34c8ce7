/* Images: tables of a store at one moment, as the files that make another store. Backups and clones are
 * made of them.
 *
 * The store is one that is only read, and that nobody follows meanwhile: so an image takes no lock from
 * whoever writes, and what the log has beyond the files is a fixed set of memtables. */
#ifndef STOA_LSM_STORE_IMAGE_H
#define STOA_LSM_STORE_IMAGE_H

#include "lsm/manifest.h"
#include "lsm/store_pin.h"
#include "mem/arena.h"

typedef struct stoa_store_image {
    stoa_store *store;
    stoa_store_pin *pin; /* keeps all below */
    stoa_arena arena;
    stoa_manifest_state state; /* of the image */
    stoa_table_file **files;   /* of the state's files those that the store has, in their order */
    int64_t file_count;
    stoa_table_file **made; /* what stoa_store_image_write has made, one a table; NULL: nothing */
} stoa_store_image;

/// What the tables of these ids are at the newest commit that the store has taken up.
///
/// Errors   STOA_NOT_FOUND  there is no table of one of these ids
/// Owns     The caller releases `out`, also on error, before the store is closed.
STOA_MUST_USE stoa_status stoa_store_image_init(stoa_store_image *out, stoa_store *store,
                                                const int64_t *ids, int32_t count, stoa_error *err);
void stoa_store_image_release(stoa_store_image *image);

/// Makes `directory` and writes what no file has yet into it: a file for each table that has rows in
/// memory, synced, and a manifest that names these and all `files`, of which each is to get its name
/// beside them. Once.
STOA_MUST_USE stoa_status stoa_store_image_write(stoa_store_image *image,
                                                 const stoa_context *context,
                                                 stoa_fs_registry *file_systems,
                                                 const char *directory, stoa_error *err);

#endif
