/* What the two halves of reading by a predicate share: read_filter.c finds the rows, read_filter_batch.c
 * reads them. */
#ifndef STOA_PARQUET_READ_FILTER_INTERNAL_H
#define STOA_PARQUET_READ_FILTER_INTERNAL_H

#include "parquet/prune.h"
#include "parquet/read_filter.h"

enum column_state {
    COLUMN_UNREAD,
    COLUMN_CODES, /* in lane->values, of a dictionary */
    COLUMN_VALUES,
    COLUMN_ARRAY /* values were made lane->arrays; their levels are left */
};

/* A leaf that the predicate looks at. */
struct filter_column {
    int32_t index; /* of the plan's leaves */
    const stoa_read_node *node;
    const stoa_schema *schema; /* of this column alone */
    struct ArrowSchema arrow;  /* of the column itself */
    int32_t group; /* that the next is said of; -1: none */
    bool uses_codes;
    enum column_state state; /* of the window */
};

struct filter_node {
    const stoa_predicate *predicate;
    struct filter_node *children;
    const stoa_read_node *node; /* of a leaf's field */
    struct filter_column *column;
    int32_t group; /* of the tables */
    bool has_table[2];
    bool any[2]; /* an entry of the dictionary answers FALSE, TRUE */
    stoa_buffer tables[2];
};

struct stoa_read_filter {
    stoa_read_lane *lane;
    const stoa_read_plan *plan;
    stoa_pool *pool;
    stoa_arena arena;
    stoa_pruner pruner;
    struct filter_node root;
    struct filter_column *columns;
    int32_t column_count;
    int32_t *mixed_groups; /* by leaf of the plan: not read as codes, though the footer says so */
    const stoa_read_part *part;
    stoa_buffer rows; /* ranges of the part's group */
    stoa_buffer selection;
    stoa_buffer numbers; /* of the selected rows within the window */
    stoa_chunk_values scratch;
    stoa_buffer wide; /* codes of four bytes */
};

/// The column of the plan's leaf `index`; NULL when the predicate does not look at it.
struct filter_column *stoa_filter_column_of(const stoa_read_filter *filter, int32_t index);

/// The end of the rows that may match and that a window lies in.
int64_t stoa_filter_range_end(const stoa_read_filter *filter, const stoa_read_window *window);

/// Whether every page of a chunk is encoded with a dictionary, as far as the footer says.
bool stoa_filter_has_dictionary_only(const stoa_parquet_column *column);

/// Sets filter->selection to the rows of the window that make the predicate true.
///
/// Errors   as stoa_read_filter_batch
STOA_MUST_USE stoa_status stoa_read_filter_select(stoa_read_filter *filter,
                                                  const stoa_read_window *window, stoa_error *err);

#endif
