/* What plan.c makes and plan_read.c reads: the parts of a table that a scan has to look at. */
#ifndef STOA_TABLE_PLAN_H
#define STOA_TABLE_PLAN_H

#include "table/internal.h"

/* Never changes but for its counter and its paths. */
struct stoa_plan {
    _Atomic int32_t references;
    stoa_database *database;
    stoa_pool *pool;
    stoa_view *view; /* pinned */
    stoa_entry *entry;
    const stoa_schema *schema; /* of the batches */
    int32_t *columns;          /* positions in the table's schema; NULL: all as they are */
    int32_t column_count;
    const stoa_predicate *exact; /* NULL: streams give all rows */
    stoa_part_vector parts;
    const stoa_access_method *access; /* of its kind; NULL: the splits are the parts */
    void *kept;                       /* the access method's; NULL: nothing pinned */
    int32_t split_count;
    int64_t row_estimate; /* for planners */
    stoa_split *splits;
    const struct ArrowArray **batches; /* of the parts in memory, one each */
    int32_t skipped_count;
    int64_t row_count;
    stoa_arena arena;     /* of the predicate */
    pthread_mutex_t lock; /* guards `paths` and `stage` */
    char **paths;         /* of the splits' files, as the engine opens them; NULL: not asked yet */
    stoa_stage *stage;    /* copies of files that are not local; NULL: none yet */
};

/// One more reference, given back by stoa_plan_close.
stoa_plan *stoa_plan_retain(stoa_plan *plan);
/// Says in `err` that a file of the plan's snapshot was removed under it.
void stoa_plan_explain_gone(const stoa_plan *plan, stoa_error *err);

#endif
