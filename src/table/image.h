/* A database at one moment, as files: what backups and clones are made of.
 *
 * The catalog is copied whole. Data files are those that its snapshots name; a pin keeps them from being
 * removed. State tables are read through a store of the image's own, which takes no lock from whoever
 * writes and keeps its files open: what memory has beyond them is written as files. The moment is one at
 * which the catalog did not change while the store was looked at, so both say the same. */
#ifndef STOA_TABLE_IMAGE_H
#define STOA_TABLE_IMAGE_H

#include "lsm/store_image.h"
#include "table/internal.h"

/* A file that exists already and never changes. */
typedef struct stoa_image_file {
    const char *path; /* below the database's directory */
    uint64_t bytes;
    uint64_t mark; /* with path and size it says which content it is: see is_data */
    bool is_data;  /* `mark` is XXH3 of the content; else it is stoa_sst_mark's */
    stoa_sst *sst; /* open; NULL: a data file */
} stoa_image_file;

typedef struct stoa_image {
    stoa_database *database;
    stoa_context context; /* the pool is not NULL */
    stoa_view *view;      /* pinned */
    stoa_store *store;    /* NULL: there are no state tables */
    stoa_store_image states;
    stoa_catalog_copy catalog;
    stoa_arena arena;
    stoa_buffer list; /* of stoa_image_file */
    stoa_buffer ids;  /* int64_t, of state tables */
    int64_t commit_id;
    int64_t table_count;
    int64_t row_count; /* -1: not known of some table */
} stoa_image;

/// Errors   STOA_UNSUPPORTED  a database in memory, or in an object store
///          STOA_CONFLICT     the catalog changes so often that there is no such moment
///          STOA_CORRUPT, STOA_IO, STOA_NO_MEMORY, STOA_LIMIT, STOA_CANCELLED
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_image_take(stoa_image *out, stoa_database *database,
                                          const stoa_context *context, stoa_error *err);
void stoa_image_release(stoa_image *image);

int64_t stoa_image_file_count(const stoa_image *image);
const stoa_image_file *stoa_image_file_at(const stoa_image *image, int64_t index);

/// Writes what no file has yet into a directory that is there: the catalog, and below `state` manifest and
/// files of what was in memory. All of it is synced, but for the directory. Once.
STOA_MUST_USE stoa_status stoa_image_write(stoa_image *image, stoa_fs_registry *file_systems,
                                           const char *directory, stoa_error *err);

/// Gives one of its files a second name in the database's file systems.
///
/// Errors   STOA_UNSUPPORTED  the file system has no links, or not to there
///          STOA_NOT_FOUND    an SSTable that another process has removed: it can be copied
///          STOA_EXISTS, STOA_IO
STOA_MUST_USE stoa_status stoa_image_link(const stoa_image *image, const stoa_image_file *file,
                                          const char *uri, stoa_error *err);
/// Copies one of its files to a new one, synced, and checks what is copied. `hash` (nullable) is begun
/// anew and gets its bytes.
///
/// Errors   STOA_CORRUPT  it does not hold what it should; STOA_IO, STOA_CANCELLED, …
STOA_MUST_USE stoa_status stoa_image_copy(const stoa_image *image, const stoa_image_file *file,
                                          stoa_fs_registry *file_systems, const char *uri,
                                          stoa_hash_stream *hash, stoa_error *err);

#endif
