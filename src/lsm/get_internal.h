/* What the files of gets share. */
#ifndef STOA_LSM_GET_INTERNAL_H
#define STOA_LSM_GET_INTERNAL_H

#include "arrow/builder.h"
#include "lsm/get.h"

struct stoa_row {
    stoa_pool *pool;
    stoa_definition *definition;
    int32_t column_count;
    int32_t *columns;
    bool has_key_columns;
    bool borrows; /* cells may point into files and memtables */
    stoa_cell *cells;
    stoa_cell_storage *storage;
    stoa_buffer key;          /* that is looked for */
    stoa_buffer bytes;        /* of key columns */
    struct ArrowArray folded; /* of merges; released: none */
    stoa_state_view *view;    /* of the last get; NULL: none */
    uint32_t get_count;       /* says which gets are measured */
    struct stoa_resource *resource; /* among what the database has open; NULL: nobody knows of it */
};

/// Lets a row that a program has survive its database.
STOA_MUST_USE stoa_status stoa_row_enter(stoa_row *row, stoa_error *err);

enum { STOA_HINTS_MAX = 4, STOA_HINT_STEPS = 4 };

/* What is known of a key before a get: which file of each level may have it, and more of the first of
 * those. */
typedef struct stoa_hints {
    stoa_sst_hint files[STOA_HINTS_MAX];
    int32_t count;
    const stoa_table_file *of_level[STOA_LEVELS]; /* NULL: none; level 0 is not used */
} stoa_hints;

/* The versions of a key that a reader sees, from the newest on. */
typedef struct stoa_versions {
    const stoa_view_reading *reading;
    stoa_sst_key key;
    uint64_t prefix;  /* the key's first 8 bytes */
    uint64_t cover;   /* the newest deleted range so far: versions before it are hidden */
    int32_t memtable; /* what is looked at next */
    int32_t level;
    int64_t file;
    const stoa_hints *hints; /* NULL: none */
    /* The version that was found last. */
    bool is_found;
    stoa_operation operation;
    stoa_memtable *in_memtable; /* NULL: in a file */
    stoa_memtable_row row;
    stoa_sst *in_file;
    stoa_sst_version version;
} stoa_versions;

/// Ready for the newest version of a key.
stoa_versions stoa_versions_of(const stoa_view_reading *reading, const uint8_t *key, size_t size);
/// Step `step` (0 to STOA_HINT_STEPS - 1) of the way to it, see stoa_sst_look_ahead; to these columns, too.
void stoa_versions_look_ahead(const stoa_versions *versions, int step, const int32_t *columns,
                              int32_t column_count, stoa_hints *hints);
/// The next version, or none.
STOA_MUST_USE stoa_status stoa_versions_next(stoa_versions *versions, stoa_error *err);
/// Columns of the version that was found last; those of the key in files are passed over.
STOA_MUST_USE stoa_status stoa_versions_cells(const stoa_versions *versions, const int32_t *columns,
                                              int32_t count, stoa_cell *out,
                                              stoa_cell_storage *storage, stoa_error *err);
/// Whether a put is not there any more.
STOA_MUST_USE stoa_status stoa_versions_is_expired(const stoa_versions *versions, bool *out,
                                                   stoa_error *err);
/// Fills a row of the definition with the version that was found last, a put or an operand; `*found` is
/// false where its time has come.
STOA_MUST_USE stoa_status stoa_versions_fill(stoa_versions *versions, stoa_row *row, bool *found,
                                             stoa_error *err);

/// Appends a nested column of the version that was found last to a builder of its type.
STOA_MUST_USE stoa_status stoa_versions_append_nested(const stoa_versions *versions,
                                                      stoa_pool *pool, int32_t column,
                                                      stoa_builder *builder, stoa_error *err);

/// The versions from the one that was found last, an operand, to the one that ends the chain, become one
/// row of the schema (released: its time has come).
STOA_MUST_USE stoa_status stoa_versions_fold(stoa_versions *versions, stoa_pool *pool,
                                             struct ArrowArray *out, stoa_error *err);

#endif
