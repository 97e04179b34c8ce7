/* What the files of streams share. See include/stoa/stream.h. */
#ifndef STOA_STREAM_INTERNAL_H
#define STOA_STREAM_INTERNAL_H

#include <stoa/stream.h>

#include "lsm/key.h"
#include "mem/buffer.h"

enum {
    STOA_STREAM_KEY_COLUMNS_MAX = STOA_KEY_PARTS_MAX - 3, /* group, namespace, map key */
    STOA_STREAM_COLUMNS_MAX = 1024
};

/* The columns of a state's table, in their order: the group, the key, the namespace, the columns of the
 * place within a scope (map key, element, time), the values, and when it was written, if that counts. */
typedef struct stoa_stream_layout {
    int32_t key_count;
    int32_t place_count;
    int32_t value_count;
    bool has_written;
    int32_t column_count;
} stoa_stream_layout;

enum { STOA_STREAM_GROUP = 0, STOA_STREAM_FIRST_KEY = 1 };
static inline int32_t stoa_stream_namespace_of(const stoa_stream_layout *layout) {
    return STOA_STREAM_FIRST_KEY + layout->key_count;
}
static inline int32_t stoa_stream_first_place(const stoa_stream_layout *layout) {
    return stoa_stream_namespace_of(layout) + 1;
}
static inline int32_t stoa_stream_first_value(const stoa_stream_layout *layout) {
    return stoa_stream_first_place(layout) + layout->place_count;
}

/* What is known of timers beside the table. */
typedef struct stoa_stream_timers {
    int64_t *due; /* one a group of the job: none of its timers comes before; NULL: no timers */
    /* While timers are fired: a call has deleted one, or set one for `earliest`. */
    bool has_deleted;
    int64_t earliest;
} stoa_stream_timers;

struct stoa_stream_state {
    stoa_stream_backend *backend;
    char *name;
    char *table_name;
    stoa_stream_kind kind;
    stoa_stream_layout layout;
    stoa_state *table;
    const stoa_schema *schema;
    stoa_key_format scope_key; /* of the key's columns alone, for its group */
    stoa_buffer key_bytes;
    char *value_columns; /* their names; of a scan also those of the place before them */
    char *scan_columns;
    stoa_cell *cells; /* of a row at hand: column_count of them */
    stoa_cell *key;   /* the same in the order of the table's key */
    stoa_stream_timers timers;
};

struct stoa_stream_backend {
    stoa_pool *pool;
    stoa_database *database;
    char *name;
    int32_t group_count;
    int32_t first_group, end_group;
    stoa_state *entries; /* positions and the like */
    stoa_row *entry;     /* one number of them */
    stoa_state_transaction *transaction;
    stoa_buffer states;   /* stoa_stream_state * */
    int64_t next_element; /* of lists: numbers that no row has */
    bool has_elements;    /* `next_element` has changed since the last commit */
};

/// "totals.spent", from the backend's pool.
STOA_MUST_USE stoa_status stoa_stream_table_name(stoa_pool *pool, const char *backend,
                                                 const char *state, char **out, stoa_error *err);

/// As stoa_stream_backend_open, of one that is there, to read it.
///
/// Errors   STOA_NOT_FOUND
STOA_MUST_USE stoa_status stoa_stream_backend_attach(stoa_database *database,
                                                     const stoa_stream_backend_options *options,
                                                     stoa_stream_backend **out, stoa_error *err);

/// Numbers that belong to a backend: one for each pair of entry and name. Part of the next commit.
STOA_MUST_USE stoa_status stoa_stream_backend_entry_get(stoa_stream_backend *backend,
                                                        const char *entry, const char *name,
                                                        int64_t *out, bool *out_found,
                                                        stoa_error *err);
STOA_MUST_USE stoa_status stoa_stream_backend_entry_set(stoa_stream_backend *backend,
                                                        const char *entry, const char *name,
                                                        int64_t number, stoa_error *err);

void stoa_stream_state_close(stoa_stream_state *state);

/// Fills state->cells with group, key and namespace; the others are null.
///
/// Errors   STOA_INVALID  the key's group is not the backend's
STOA_MUST_USE stoa_status stoa_stream_fill_scope(stoa_stream_state *state,
                                                 const stoa_stream_scope *scope, stoa_error *err);
/// The cells of the table's key, in its order, out of state->cells.
const stoa_cell *stoa_stream_key_cells(stoa_stream_state *state);
/// Puts values behind scope and place, and the time.
void stoa_stream_fill_values(stoa_stream_state *state, const stoa_cell *values);
/// Nothing is known of when timers come due.
void stoa_stream_forget_due(stoa_stream_state *state);

#endif
