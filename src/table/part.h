/* Parts: what a table consists of in one snapshot. A part is a Parquet file or a batch in memory; it
 * never changes, and is shared by every snapshot, view and plan that holds it. */
#ifndef STOA_TABLE_PART_H
#define STOA_TABLE_PART_H

#include <pthread.h>
#include <stdatomic.h>

#include <stoa/database.h>

#include "mem/arena.h"
#include "schema/partition.h"
#include "schema/predicate.h"

typedef struct stoa_part {
    _Atomic int32_t references;
    /* Unique in the database: of a file in the catalog its row there (above 0), of all others a
     * number of the process (below 0). */
    int64_t id;
    int64_t row_count;
    uint64_t byte_count;
    uint64_t content_hash;     /* of a file: XXH3 of its bytes */
    int64_t added_snapshot_id; /* 0: not committed yet */
    stoa_database *database;
    stoa_arena arena; /* of what follows */
    const char *path; /* below the database's directory; NULL in memory */
    /* No catalog names the file yet: it is removed with the last reference. */
    _Atomic bool unlisted;
    stoa_field_summary *columns;
    int32_t column_count;
    /* Of a partitioned table: what the fields of its spec are for every row; NULL: none. Columns that
     * are partitions by themselves are not in the file. */
    stoa_value *partition;
    int32_t partition_count;

    /* Of a table that is reached through an access method: rows have the columns of its key only, and
     * the rows with these keys go. */
    bool deletes;
    bool merges; /* rows are operands of the columns' merge operators */
    struct stoa_bulk *bulk; /* its rows, where they are files already; NULL: in `batch` */
    bool expects;   /* the commit fails if somebody else has changed rows of these keys */
    int32_t writer; /* of its sink: rows of a later one count */

    /* In memory only: all columns in canonical layout, and the lock under which slices are made
     * (the first slice changes the array in place). */
    struct ArrowArray batch;
    pthread_mutex_t slice_lock;
    stoa_reservation reservation;
} stoa_part;

/// An empty part with one reference, charged to `pool`.
STOA_MUST_USE stoa_status stoa_part_create(stoa_database *database, stoa_pool *pool,
                                           stoa_part **out, stoa_error *err);
stoa_part *stoa_part_retain(stoa_part *part);
void stoa_part_release(stoa_part *part);

/// Copies summaries, their bounds and bytes into the part.
STOA_MUST_USE stoa_status stoa_part_set_columns(stoa_part *part, const stoa_field_summary *columns,
                                                int32_t column_count, stoa_error *err);

/// The same for a file of a partitioned table: `partition` are the values of the spec's fields, and
/// columns that are not in the file are known by them.
STOA_MUST_USE stoa_status stoa_part_set_partition(stoa_part *part, const stoa_partition_spec *spec,
                                                  const stoa_value *partition,
                                                  const stoa_field_summary *columns,
                                                  int32_t column_count, stoa_error *err);

/// What is known of a column that has one value in all rows: the value as both bounds, but for NaN.
stoa_field_summary stoa_part_summary_of_value(const stoa_part *part, int32_t field_id,
                                              const stoa_value *value);

/// A growable list of references. All-zero with a pool is empty.
typedef struct stoa_part_vector {
    stoa_pool *pool;
    stoa_part **items;
    int64_t count;
    int64_t capacity;
} stoa_part_vector;

/// Takes over the reference on STOA_OK.
STOA_MUST_USE stoa_status stoa_part_vector_push(stoa_part_vector *vector, stoa_part *part,
                                                stoa_error *err);
/// Makes room so that the next `additional` pushes cannot fail.
STOA_MUST_USE stoa_status stoa_part_vector_reserve(stoa_part_vector *vector, int64_t additional,
                                                   stoa_error *err);
/// References to all of `source` at the end of `vector`.
STOA_MUST_USE stoa_status stoa_part_vector_append(stoa_part_vector *vector,
                                                  const stoa_part_vector *source, stoa_error *err);
/// Takes out the parts with these ids; false when one is not there (nothing is taken out then).
bool stoa_part_vector_remove(stoa_part_vector *vector, const int64_t *ids, int64_t count);
bool stoa_part_vector_has(const stoa_part_vector *vector, int64_t id);
/// Gives every reference back.
void stoa_part_vector_release(stoa_part_vector *vector);

/// Sums over a list.
typedef struct stoa_part_totals {
    int64_t row_count;
    int64_t part_count;
    uint64_t byte_count;
} stoa_part_totals;
stoa_part_totals stoa_part_vector_totals(const stoa_part_vector *vector);

#endif
