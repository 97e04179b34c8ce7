/* Views: what tables there are at one moment. Entries and views never change and are counted by
 * reference; a new state of a table is a new entry, a commit is a new view. */
#ifndef STOA_TABLE_VIEW_H
#define STOA_TABLE_VIEW_H

#include <stdatomic.h>

#include "schema/partition.h"
#include "table/kind.h"

typedef enum stoa_snapshot_operation {
    STOA_SNAPSHOT_NONE = 0, /* no snapshot yet */
    STOA_SNAPSHOT_APPEND,
    STOA_SNAPSHOT_OVERWRITE,
    STOA_SNAPSHOT_DELETE,
    STOA_SNAPSHOT_UPDATE
} stoa_snapshot_operation;

/// "append"; NULL for STOA_SNAPSHOT_NONE.
const char *stoa_snapshot_operation_name(stoa_snapshot_operation operation);
/// STOA_SNAPSHOT_NONE for an unknown name.
stoa_snapshot_operation stoa_snapshot_operation_parse(const char *name);

/// One snapshot's facts. `snapshot_id` 0 is the empty state of a new table.
typedef struct stoa_snapshot {
    int64_t snapshot_id;
    int64_t parent_id;
    int64_t time_ms;
    stoa_snapshot_operation operation;
    int32_t schema_id;
    stoa_part_totals totals;
} stoa_snapshot;

/// A table in one state.
struct stoa_entry {
    _Atomic int32_t references;
    stoa_pool *pool;
    int64_t id; /* never used again; the name of its folder */
    char *name;
    char *folded;
    char *kind_name;
    const stoa_table_kind *kind; /* NULL: of a newer library */
    const stoa_schema *schema;
    stoa_partition_spec *spec; /* of new parts; NULL: not partitioned */
    stoa_snapshot snapshot;
    /* The parts of this state. Read through stoa_entry_parts: those of a durable table are loaded
     * at first use, under the catalog's read lock; `loaded` is stored last (release) and loaded
     * first (acquire). */
    stoa_part_vector parts;
    _Atomic bool loaded;
    struct stoa_entry *previous; /* tables without a catalog row: the state before, or NULL */
};

/// What makes an entry. `name` and `kind_name` are copied, `schema` and `spec` are retained.
typedef struct stoa_entry_facts {
    int64_t id;
    const char *name;
    const char *kind_name;
    const stoa_schema *schema;
    stoa_snapshot snapshot;
    stoa_partition_spec *spec; /* NULL: none */
} stoa_entry_facts;

STOA_MUST_USE stoa_status stoa_entry_create(stoa_pool *pool, const stoa_entry_facts *facts,
                                            stoa_entry **out, stoa_error *err);
stoa_entry *stoa_entry_retain(stoa_entry *entry);
void stoa_entry_release(stoa_entry *entry);

/// References to all parts at the end of `out`.
STOA_MUST_USE stoa_status stoa_entry_parts(stoa_database *database, stoa_entry *entry,
                                           stoa_part_vector *out, stoa_error *err);

typedef struct stoa_lease stoa_lease;

/// All tables at one moment, by folded name.
typedef struct stoa_view {
    _Atomic int32_t references;
    stoa_pool *pool;
    int64_t commit_id; /* of the catalog file; 0 without one */
    stoa_entry **entries;
    int64_t count;
    int64_t capacity;
    /* Guarded by the database's view lock. */
    int64_t pins;
    stoa_lease *lease; /* while pins > 0 and there is a catalog */
} stoa_view;

STOA_MUST_USE stoa_status stoa_view_create(stoa_pool *pool, stoa_view **out, stoa_error *err);
/// Takes over the reference, also on error.
STOA_MUST_USE stoa_status stoa_view_add(stoa_view *view, stoa_entry *entry, stoa_error *err);
/// Puts entries in order after the last add; of two of the same name the one that lives in
/// this process only counts.
void stoa_view_finish(stoa_view *view);
stoa_view *stoa_view_retain(stoa_view *view);
void stoa_view_release(stoa_view *view);

/// Borrowed, or NULL.
stoa_entry *stoa_view_find(const stoa_view *view, const char *folded);

#endif
