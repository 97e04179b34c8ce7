/* What the files of scans share. */
#ifndef STOA_LSM_SCAN_INTERNAL_H
#define STOA_LSM_SCAN_INTERNAL_H

#include "lsm/gather.h"
#include "lsm/merge.h"
#include "lsm/scan.h"
#include "lsm/scan_flat.h"

/* How far the versions of the key at hand have been looked at. */
typedef enum stoa_view_scan_group {
    STOA_VIEW_SCAN_OPEN,  /* none of them is visible so far */
    STOA_VIEW_SCAN_CHAIN, /* operands, which wait for what is below them */
    STOA_VIEW_SCAN_DONE   /* what is older does not count */
} stoa_view_scan_group;

/* What a run's cursor is given to skip stripes by. */
typedef struct stoa_view_scan_skip {
    struct stoa_view_scan *scan;
    int32_t run;
} stoa_view_scan_skip;

/* Rows that go into the result of a block: of a window, or (NULL) the folded row `first`. */
typedef struct stoa_view_scan_entry {
    stoa_run_window *window;
    uint32_t first;
    uint32_t count;
} stoa_view_scan_entry;

/* Which rows of the merged ones a reader sees; scan_visible.c. */
typedef struct stoa_view_scan_visible {
    uint64_t sequence;
    stoa_range_set ranges; /* of deletions, that are not newer */
    stoa_view_scan_group group;
    stoa_buffer chain; /* stoa_view_scan_entry with retained windows: operands, the newest first */
    stoa_buffer entries; /* stoa_view_scan_entry: rows of this block behind the first folded one */
    stoa_gather *folds;  /* the rows that are to be folded, group after group */
    stoa_buffer groups;  /* int64_t: where each begins in it, and the end */
    stoa_buffer has_base;
    int64_t fold_count;
} stoa_view_scan_visible;

struct stoa_view_scan {
    stoa_context context;
    stoa_pool *pool;
    stoa_view_reading reading;
    const stoa_definition *definition; /* the view's */
    stoa_view_scan_options options;    /* `columns` is the scan's own */
    struct ArrowSchema schema;
    stoa_arena arena;
    int32_t run_count;
    stoa_run *runs;
    bool *is_plain;             /* of each run's window: nothing but puts that are visible */
    stoa_view_scan_skip *skips; /* one a run: what its cursor asks */
    stoa_run_cursor **probes;   /* one a run, once it is asked whether it has rows in a stripe */
    stoa_buffer probe_key;
    stoa_merge *merge;
    stoa_gather *gather;
    stoa_flat *flat; /* NULL: not for these columns */
    stoa_view_scan_visible visible;
    int32_t *tested; /* columns that a row's time and the predicate depend on */
    int32_t tested_count;
    struct ArrowArray *
        *tested_columns; /* one a column of the schema: NULL, or where it was gathered */
    stoa_buffer bits;
    int64_t ready_count; /* rows of a block that wait in the gathering: */
    bool is_chosen;      /* those of `bits`; false: all */
    stoa_buffer batches; /* struct ArrowArray that are ready, the last one is the next */
    bool is_sought;
    bool is_at_end;
    int64_t rows_merged;
    int64_t stripes_skipped;

    /* of reverse scans */
    stoa_key_range range; /* what is left of it; keys lie in the buffers */
    stoa_buffer from;
    stoa_buffer to;
    stoa_buffer boundary; /* where the part that is read begins */
    int64_t part_rows;    /* of the next part */
    bool is_last_part;
};

/// Takes the ranges of deletions of a view.
stoa_status stoa_view_scan_visible_init(stoa_view_scan *scan, stoa_error *err);
void stoa_view_scan_visible_release(stoa_view_scan_visible *visible);
/// Forgets where it was, for a seek.
void stoa_view_scan_visible_reset(stoa_view_scan_visible *visible);
/// The visible rows of a block go into the scan's gathering. A block without rows is the end.
stoa_status stoa_view_scan_visible_rows(stoa_view_scan *scan, const stoa_merge_block *block,
                                        stoa_error *err);

/// Finds out which columns the predicate looks at, and lets the runs' cursors skip stripes.
stoa_status stoa_view_scan_filter_init(stoa_view_scan *scan, stoa_error *err);
/// Takes the rows out of the scan's gathering whose time has come or that the predicate does not take; where
/// they are read by bits they are left, and `is_chosen` is set.
stoa_status stoa_view_scan_filter_rows(stoa_view_scan *scan, stoa_error *err);

/// Whether the gathering's rows can be read by stoa_flat_append, and which these are; but for the bits.
bool stoa_view_scan_is_flat(const stoa_view_scan *scan, stoa_flat_rows *out);

/// Whether versions of a stripe's first or last key are in the stripes beside it.
bool stoa_view_scan_stripe_shares_keys(const stoa_sst *table, int64_t stripe);
/// True when what the directory says of a stripe proves that no row of it makes the predicate true.
bool stoa_view_scan_zones_exclude(const stoa_view_scan *scan, const stoa_sst *table,
                                  int64_t stripe);

/// The next rows within the merge's range, in ascending order, as a batch; released at the end. There
/// may be one more than `max_rows`: a fold that waited for the rows behind it.
stoa_status stoa_view_scan_next_ascending(stoa_view_scan *scan, int64_t max_rows,
                                          struct ArrowArray *out, stoa_error *err);
/// Of a reverse scan: where no batches are left, those of the next part.
stoa_status stoa_view_scan_read_backward(stoa_view_scan *scan, int64_t max_rows, stoa_error *err);
/// The cursor of a run beside the merge's, for questions.
stoa_status stoa_view_scan_probe(stoa_view_scan *scan, int32_t run, stoa_run_cursor **out,
                                 stoa_error *err);

#endif
