/* Which rows of a row group may make a predicate true, by all that a file says about its values without
 * decoding them: statistics of the chunk, bounds of pages (page index), bloom filters. Dictionaries
 * are looked at when filter columns are read (read_filter.h).
 *
 * Every leaf of the predicate gives a set of rows, AND cuts them, OR unites them, so pages of several
 * columns need not end at the same rows. A page index or a bloom filter that does not decode says
 * nothing; which bounds are believed: read_bounds.h. Wrong ones can leave out rows, never crash. */
#ifndef STOA_PARQUET_PRUNE_H
#define STOA_PARQUET_PRUNE_H

#include "parquet/bloom_filter.h"
#include "parquet/page_index.h"
#include "parquet/read_bounds.h"
#include "parquet/row_ranges.h"

/* A field of the predicate outside lists and maps, with values that have an order. */
typedef struct stoa_prune_field {
    stoa_bounds_reader bounds;
    stoa_read_bounds chunk; /* of the current group, as the next */
    bool has_index; /* it was looked for */
    bool has_bloom;
    stoa_page_index index;
    stoa_bloom_filter bloom;
} stoa_prune_field;

/* Belongs to one thread. */
typedef struct stoa_pruner {
    stoa_file *file;
    const stoa_parquet_footer *footer;
    const stoa_schema *schema;
    const stoa_predicate *predicate;
    stoa_pool *pool;
    stoa_arena arena; /* the fields */
    stoa_arena group_arena; /* what was read for the current group */
    int32_t group;
    stoa_prune_field *fields;
    stoa_field_summary *summaries; /* of the group's chunks, as the fields */
    int32_t field_count;
} stoa_pruner;

/// Reads nothing. Borrows everything; `root` is the tree of `schema`.
///
/// Owns     The caller releases `out`, also on error.
STOA_MUST_USE stoa_status stoa_pruner_init(stoa_pool *pool, stoa_file *file,
                                           const stoa_parquet_footer *footer,
                                           const stoa_read_node *root, const stoa_schema *schema,
                                           const stoa_predicate *predicate, stoa_pruner *out,
                                           stoa_error *err);
void stoa_pruner_release(stoa_pruner *pruner);

/// Puts those rows of `group` (counted from its first) into `out`, a buffer of
/// stoa_parquet_row_range, that may make the predicate true.
///
/// Errors   STOA_IO, STOA_LIMIT, STOA_NO_MEMORY
STOA_MUST_USE stoa_status stoa_pruner_rows(stoa_pruner *pruner, int32_t group, stoa_buffer *out,
                                           stoa_error *err);

#endif
