/* Spreading keys anew: groups are the first column of every key, so that what moves from one process to
 * another is a range, read by one scan and deleted by one deletion. */
#include <inttypes.h>

#include "stream/internal.h"

static stoa_status copy_rows(stoa_state *from, stoa_state *to, const stoa_stream_backend *backend,
                             stoa_error *err) {
    const stoa_cell first = {.i = backend->first_group}, end = {.i = backend->end_group};
    const stoa_state_scan_options options = {.from = &first,
                                             .from_count = 1,
                                             .to = &end,
                                             .to_count = 1};
    struct ArrowArrayStream rows;
    struct ArrowSchema schema = {.release = NULL};
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_state_scan(from, &options, &rows, err));
    STOA_CHECK(stoa_stream_schema(&rows, &schema, err));
    for (;;) {
        struct ArrowArray batch;
        STOA_CHECK(stoa_stream_next(&rows, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        STOA_CHECK(stoa_state_put_batch(to, &schema, &batch, STOA_DURABILITY_DEFAULT, err));
    }

done:
    stoa_arrow_schema_release(&schema);
    stoa_arrow_stream_release(&rows);
    return status;
}

static stoa_status import_state(const stoa_stream_state *state, stoa_database *source,
                                const char *name, stoa_error *err) {
    stoa_pool *pool = state->backend->pool;
    stoa_state *table = NULL;
    char *table_name = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_stream_table_name(pool, name, state->name, &table_name, err));
    STOA_CHECK(stoa_state_open(source, table_name, &table, err));
    if (!stoa_type_equal(&stoa_state_schema(table)->root, &state->schema->root, false)) {
        STOA_CHECK(stoa_fail(err, STOA_INVALID, "table '%s': it has other columns than '%s'",
                             table_name, state->table_name));
    }
    STOA_CHECK(copy_rows(table, state->table, state->backend, err));

done:
    stoa_state_close(table);
    stoa_pool_free_string(pool, table_name);
    return status;
}

/* The source's numbers: its groups must be the same, its elements are behind ours. */
static stoa_status import_numbers(stoa_stream_backend *backend, stoa_stream_backend *source,
                                  stoa_error *err) {
    if (source->next_element > backend->next_element) {
        backend->next_element = source->next_element;
        backend->has_elements = true;
    }
    return stoa_stream_backend_commit(backend, STOA_DURABILITY_DEFAULT, err);
}

stoa_status stoa_stream_backend_import(stoa_stream_backend *backend, stoa_database *source,
                                       const char *name, stoa_error *err) {
    const stoa_stream_backend_options options = {.name = name, .group_count = backend->group_count};
    stoa_stream_state **states = (stoa_stream_state **)(void *)backend->states.data;
    stoa_stream_backend *other = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_stream_backend_attach(source, &options, &other, err));
    STOA_CHECK(import_numbers(backend, other, err));
    for (size_t i = 0; i < backend->states.size / sizeof *states; i++) {
        STOA_CHECK(import_state(states[i], source, name, err));
    }
    /* The transaction began before the rows came. */
    STOA_CHECK(stoa_stream_backend_rollback(backend, err));

done:
    stoa_stream_backend_close(other);
    return status;
}

stoa_status stoa_stream_backend_clip(stoa_stream_backend *backend, stoa_error *err) {
    const stoa_cell first = {.i = backend->first_group}, end = {.i = backend->end_group};
    stoa_stream_state **states = (stoa_stream_state **)(void *)backend->states.data;
    stoa_state_batch *batch = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_stream_backend_commit(backend, STOA_DURABILITY_DEFAULT, err));
    STOA_TRY(stoa_state_batch_create(backend->entries, &batch, err));
    for (size_t i = 0; i < backend->states.size / sizeof *states; i++) {
        STOA_CHECK(stoa_state_batch_delete_range(batch, states[i]->table, NULL, 0, &first, 1, err));
        STOA_CHECK(stoa_state_batch_delete_range(batch, states[i]->table, &end, 1, NULL, 0, err));
    }
    STOA_CHECK(stoa_state_batch_commit(batch, STOA_DURABILITY_DEFAULT, err));
    STOA_CHECK(stoa_stream_backend_rollback(backend, err));

done:
    stoa_state_batch_close(batch);
    return status;
}
