/* What one statement sees: a snapshot of all tables, and the scans of those that it names.
 *
 *     view ── transaction (the session's, or one of its own)
 *       └── scan for each reference to a table ── plan ── splits ── morsels
 *
 * DuckDB asks for a table each time it binds a reference to it. The answer depends on what the
 * binding is for:
 *     VIEW_EXPLAIN  always our table function, so that the optimized plan shows by the scan's number
 *                   which filters stand above which reference; the plans hold schemas only
 *     VIEW_READ     the table function for memory, for streams (tables of the kind state), and for
 *                   Parquet tables of which few rows are wanted; else read_parquet with the pruned
 *                   list of files
 * The same text is bound in the same order, so the nth reference of one binding is the nth of the
 * other; should names ever differ there, nothing is skipped. */
#ifndef STOA_SQL_VIEW_H
#define STOA_SQL_VIEW_H

#include <pthread.h>
#include <stdatomic.h>

#include "mem/arena.h"
#include "mem/buffer.h"
#include "sql/engine.h"
#include "table/table.h"
#include "vfs/stage.h"

enum view_mode { VIEW_READ, VIEW_EXPLAIN };

/* A stretch of rows that one thread reads at a time. */
struct morsel {
    const struct ArrowArray *batch;
    int64_t offset;
    int64_t length;
    int32_t split;
};

/* One reference to a table. Counted by reference: the engine may keep what it bound. */
struct scan {
    atomic_int references;
    stoa_pool *pool;
    stoa_plan *plan; /* NULL in explanations */
    bool borrows_plan;
    const stoa_schema *schema;
    char *name;
    bool with_part; /* a last column "__stoa_part" with the number of the split */
    bool parquet;   /* lies in files, which DuckDB reads */
    bool seeks;     /* but our reader does: the rows of the plan's predicate */
    bool streamed;  /* its splits are streams, of the rows of the plan's predicate */
    stoa_context context; /* of `seeks` and `streamed` */
    int64_t row_count;    /* of `streamed`: about */
    int64_t morsel_count;
    struct morsel *morsels;
    int32_t part_count; /* read, and ruled out by the predicate */
    int32_t skipped_count;
    uint64_t byte_count;
    struct progress *progress;
};

/* Rows that our own scans have handed over, of all scans of a view. Counted by reference, because
 * scans may outlive the view. */
struct progress {
    atomic_int references;
    stoa_pool *pool;
    atomic_int_fast64_t rows_done;
    pthread_mutex_t lock; /* guards `error` */
    stoa_error error;     /* the first failure inside a callback of the engine's */
};

/* What the optimized plan says of the nth reference. */
struct pruning {
    const char *name;
    const stoa_predicate *predicate; /* NULL: nothing is known */
};

struct view {
    struct engine *engine;
    stoa_database *database;
    stoa_pool *pool;
    stoa_context context;
    stoa_transaction *transaction;
    bool own_transaction;
    enum view_mode mode;
    bool seeks; /* the statement may gain by our reader; see seek.h */
    struct scan **scans;
    int32_t scan_count;
    int32_t scan_capacity;
    stoa_arena arena; /* predicates */
    struct pruning *prunings;
    int32_t pruning_count;
    int32_t pruning_next;
    struct progress *progress;
    stoa_stage *stage;  /* files that the statement names by URI; NULL: none */
    stoa_error unknown; /* what the catalog said of the last name it did not know */
};

/// `transaction` NULL begins one of the view's own. The context's pool is not NULL.
STOA_MUST_USE stoa_status stoa_sql_view_open(struct engine *engine, stoa_transaction *transaction,
                                             const stoa_context *context, struct view **out,
                                             stoa_error *err);
/// Closes the view's own transaction without committing it. NULL is allowed.
void stoa_sql_view_close(struct view *view);
/// Commits the view's own transaction; the session's is left to COMMIT.
STOA_MUST_USE stoa_status stoa_sql_view_commit(struct view *view, stoa_error *err);

/// Starts another binding: forgets the scans of the last one.
void stoa_sql_view_begin(struct view *view, enum view_mode mode);

/// Adds a scan for the next reference to `name`.
///
/// Errors   STOA_NOT_FOUND  no table of ours; `view->unknown` keeps the message
STOA_MUST_USE stoa_status stoa_sql_view_reference(struct view *view, const char *name,
                                                  struct scan **out, int32_t *out_index,
                                                  stoa_error *err);
/// Adds a scan over splits of a plan that stands already (of a rewrite; NULL: all of them), with the
/// number of the split as a last column. Borrows the plan, which must outlive the query.
STOA_MUST_USE stoa_status stoa_sql_view_reference_plan(struct view *view, stoa_plan *plan,
                                                       const char *name, const int32_t *splits,
                                                       int32_t split_count, int32_t *out_index,
                                                       stoa_error *err);
struct scan *stoa_sql_scan_retain(struct scan *scan);
void stoa_sql_scan_release(struct scan *scan);

/// Keeps a failure that happened inside a callback, unless there is one already.
void stoa_sql_progress_keep_error(struct progress *progress, const stoa_error *error);
/// Moves it to `err` and returns its status; STOA_OK when there is none.
stoa_status stoa_sql_progress_take_error(struct progress *progress, stoa_error *err);
void stoa_sql_progress_release(struct progress *progress);

/// Rows of all scans that the table function serves.
int64_t stoa_sql_view_row_count(const struct view *view);

/// How the tables are read, as a JSON array.
STOA_MUST_USE stoa_status stoa_sql_view_report(const struct view *view, stoa_buffer *out,
                                               stoa_error *err);

#endif
